import { expect, test } from 'vitest'
import type { FailureName } from '../../src/call/failure.ts'
import { expectFailure, expectNoReuse, startSetting } from './setting.ts'

const ok = 'HTTP/1.1 200 OK\r\n'
const fields = (count: number, one: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => one(i)).join('')

/** What an origin says, word for word, that no client of HTTP may take for a reply. */
const conversations: readonly (readonly [name: string, says: string, error: FailureName])[] = [
  [
    'U9: a chunk size that is no number',
    `${ok}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    'http_protocol_error',
  ],
  [
    'U9: a chunk longer than its size',
    `${ok}transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
    'http_protocol_error',
  ],
  [
    'U9: a chunk size past all bounds',
    `${ok}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}`,
    'http_protocol_error',
  ],
  ['U9: chunks with bare LF', `${ok}transfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n`, 'http_protocol_error'],
  ['U9: header lines with bare LF', 'HTTP/1.1 200 OK\ncontent-length: 2\n\n{}', 'http_protocol_error'],
  ['U9: a bare CR in a header', `${ok}a: b\rc: d\r\ncontent-length: 2\r\n\r\n{}`, 'http_protocol_error'],
  ['U9: NUL in a header', `${ok}a: b\0c\r\ncontent-length: 2\r\n\r\n{}`, 'http_protocol_error'],
  ['U9: NUL in a header after content-length', `${ok}content-length: 2\r\na: b\0c\r\n\r\n{}`, 'http_protocol_error'],
  ['U9: a folded header line', `${ok}a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}`, 'http_protocol_error'],
  [
    'U9: a folded header line after content-length',
    `${ok}content-length: 2\r\na: b\r\n c\r\n\r\n{}`,
    'http_protocol_error',
  ],
  ['U9: a space before the colon', `${ok}a : b\r\ncontent-length: 2\r\n\r\n{}`, 'http_protocol_error'],
  ['U10: two lengths that differ', `${ok}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 'http_protocol_error'],
  ['U10: a list of lengths that differ', `${ok}content-length: 2, 3\r\n\r\n{}`, 'http_protocol_error'],
  ['U10: a length below 0', `${ok}content-length: -2\r\n\r\n{}`, 'http_protocol_error'],
  ['U10: a length with a sign', `${ok}content-length: +2\r\n\r\n{}`, 'http_protocol_error'],
  ['U10: a length past all bounds', `${ok}content-length: 99999999999999999999999\r\n\r\n{}`, 'http_protocol_error'],
  [
    'U11: transfer-encoding with content-length',
    `${ok}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'http_protocol_error',
  ],
  [
    'U11: content-length with transfer-encoding',
    `${ok}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'http_protocol_error',
  ],
  [
    'U12: transfer-encoding gzip, chunked',
    `${ok}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'http_response_transfer_coding',
  ],
  [
    'U12: transfer-encoding gzip and chunked on two lines',
    `${ok}transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'http_response_transfer_coding',
  ],
  [
    'U12: transfer-encoding chunked twice',
    `${ok}transfer-encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'http_response_transfer_coding',
  ],
  ['U12: transfer-encoding junk', `${ok}transfer-encoding: junk\r\n\r\n{}`, 'http_response_transfer_coding'],
  ['U12: transfer-encoding identity', `${ok}transfer-encoding: identity\r\n\r\n{}`, 'http_response_transfer_coding'],
  [
    'U14: 100 that nobody asked for',
    `HTTP/1.1 100 Continue\r\n\r\n${ok}content-length: 2\r\n\r\n{}`,
    'http_protocol_error',
  ],
  [
    'U15: 1 000 early hints',
    `${'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(1000)}${ok}content-length: 2\r\n\r\n{}`,
    'http_protocol_error',
  ],
  [
    'U16: 101 that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    'http_upgrade_failed',
  ],
  ['U16: 101 that does not say what to', 'HTTP/1.1 101 Switching Protocols\r\n\r\nhello', 'http_upgrade_failed'],
  [
    'U17: a header past 16 KiB',
    `${ok}a: ${'b'.repeat(17_000)}\r\ncontent-length: 2\r\n\r\n{}`,
    'http_response_header_section_size',
  ],
  [
    'U17: headers that never end',
    `${ok}${fields(2_000, (i) => `field-${i}: value\r\n`)}`,
    'http_response_header_section_size',
  ],
  [
    'U17: 3 000 tiny headers',
    `${ok}${fields(3_000, () => 'a:b\r\n')}content-length: 2\r\n\r\n{}`,
    'http_response_header_section_size',
  ],
  [
    'U17: a trailer past 16 KiB',
    `${ok}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\na: ${'b'.repeat(17_000)}\r\n\r\n`,
    'http_response_header_section_size',
  ],
  ['U18: status 099', 'HTTP/1.1 099 What\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: status 000', 'HTTP/1.1 000 What\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: status 600', 'HTTP/1.1 600 What\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: status 999', 'HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: HTTP/2.0 200', 'HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: HTTP/0.9 200', 'HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: HTTP/1.7 200', 'HTTP/1.7 200 OK\r\ncontent-length: 2\r\n\r\n{}', 'http_protocol_error'],
  ['U18: something that is not HTTP', '220 mail.example ESMTP\r\n', 'http_protocol_error'],
]

test.each(conversations)('%s fails the step, and the connection is not used again', async (_, says, error) => {
  await using setting = await startSetting((_request, socket) => void socket.write(says, 'latin1'))
  await expectFailure(setting, error, 502)
  await expectNoReuse(setting)
  expect(setting.bad.requests.length).toBe(2)
})
