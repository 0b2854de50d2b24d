import { EventEmitter, once } from 'node:events'
import { type Socket, createConnection } from 'node:net'

/** A response as it arrived. */
export interface Received {
  /** The head, byte for byte, without the empty line that ends it. */
  readonly head: string
  readonly version: string
  readonly status: number
  /** By name in lower case; a field that came several times is joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** All values of a field, in the order in which they came. */
  all(name: string): string[]
  /** The body, chunks put together. */
  readonly body: Buffer
  readonly text: string
  /** The body as JSON. */
  json(): unknown
  /** Whether the body came to its end: false when the connection broke off in the middle of it. */
  readonly whole: boolean
  /** Statuses of the interim responses before it. */
  readonly interim: readonly number[]
}

/** A client on a raw socket: it sends exact bytes, and takes apart what comes back. */
export interface Client extends AsyncDisposable {
  /** Sends bytes as they are; each character of a text is one byte. Null once the peer takes no more. */
  send(bytes: string | Uint8Array): void
  /** Sends bytes and waits until the kernel has taken them all. */
  sent(bytes: string | Uint8Array): Promise<void>
  /** Waits for the next response; `method` is what was asked with, since a HEAD is answered without a body. */
  response(method?: string): Promise<Received>
  /** Waits for the head of the next response, and leaves its body to `until` and `rest`. */
  head(): Promise<Received>
  /** Waits until what has come, and was not taken yet, has this in it; gives and takes all up to its end. */
  until(text: string): Promise<string>
  /** Waits for the end of the connection and gives what had come and was not taken. */
  rest(): Promise<string>
  /** How many bytes have come in all. */
  readonly received: number
  /** How the connection ended: `closed` in order, `reset`, or null while it is open. */
  readonly ended: 'closed' | 'reset' | null
  /** Stops reading, so that the peer's bytes fill the buffers between, and reads on. */
  pause(): void
  resume(): void
  /** Leaves in order, without waiting for anything. */
  leave(): void
  /** Leaves by a reset. */
  reset(): void
  readonly socket: Socket
}

/** Connects to a port of 127.0.0.1; the connection ends with `await using`. */
export async function connect(port: number): Promise<Client> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  const news = new EventEmitter().setMaxListeners(0)
  let bytes: Buffer = Buffer.alloc(0)
  let waiting: Buffer[] = []
  let received = 0
  let ended: Client['ended'] = null
  const end = (how: 'closed' | 'reset'): void => {
    ended ??= how
    news.emit('news')
  }
  socket.on('data', (chunk: Buffer) => {
    waiting.push(chunk)
    received += chunk.length
    news.emit('news')
  })
  socket.on('error', () => end('reset'))
  socket.on('close', () => end('closed'))
  await once(socket, 'connect')

  /** All that has come and was not taken. Put together only when it is asked for: a big body comes in many pieces. */
  const come = (): Buffer => {
    if (waiting.length > 0) bytes = Buffer.concat([bytes, ...waiting])
    waiting = []
    return bytes
  }
  const take = (count: number): Buffer => {
    const taken = come().subarray(0, count)
    bytes = bytes.subarray(count)
    return taken
  }
  /** Waits until there is something to take, or the connection has ended: then null. */
  const whenCome = async (find: (bytes: Buffer) => number): Promise<Buffer | null> => {
    for (;;) {
      const count = find(come())
      if (count >= 0) return take(count)
      if (ended !== null) return null
      await once(news, 'news')
    }
  }
  const upTo = (mark: string) => whenCome((all) => (all.includes(mark) ? all.indexOf(mark) + mark.length : -1))
  const exactly = (count: number) => whenCome((all) => (received < count || all.length < count ? -1 : count))
  const toTheEnd = async (): Promise<Buffer> => {
    while (ended === null) await once(news, 'news')
    return take(Infinity)
  }

  const chunked = async (): Promise<{ body: Buffer; whole: boolean }> => {
    const chunks: Buffer[] = []
    for (;;) {
      const line = await upTo('\r\n')
      if (line === null) return { body: Buffer.concat([...chunks, take(Infinity)]), whole: false }
      if (!/^[0-9a-f]+\r\n$/i.test(line.toString('latin1')))
        throw new Error(`not a chunk: ${JSON.stringify(String(line))}`)
      const size = Number.parseInt(line.toString('latin1'), 16)
      const chunk = await exactly(size + 2)
      if (chunk === null) return { body: Buffer.concat([...chunks, take(Infinity)]), whole: false }
      if (chunk.toString('latin1', size) !== '\r\n') throw new Error('a chunk that is longer than it says')
      if (size === 0) return { body: Buffer.concat(chunks), whole: true }
      chunks.push(chunk.subarray(0, size))
    }
  }
  const sized = async (size: number): Promise<{ body: Buffer; whole: boolean }> => {
    const body = await exactly(size)
    return body === null ? { body: take(Infinity), whole: false } : { body, whole: true }
  }

  const head = async (): Promise<Received> => {
    const interim: number[] = []
    for (;;) {
      const raw = await upTo('\r\n\r\n')
      if (raw === null)
        throw new Error(`no response: the connection was ${ended} after ${JSON.stringify(come().toString())}`)
      const parsed = parseHead(raw.toString('latin1').slice(0, -4), interim)
      if (parsed.status >= 200 || parsed.status === 101) return parsed
      interim.push(parsed.status)
    }
  }

  return {
    socket,
    send: (data) => void socket.write(bytesOf(data)),
    sent: (data) => new Promise((done, failed) => socket.write(bytesOf(data), (why) => (why ? failed(why) : done()))),
    head,
    async response(method = 'GET') {
      const parsed = await head()
      const { status, headers } = parsed
      const bodyless = method === 'HEAD' || status === 204 || status === 304
      const body = bodyless
        ? { body: Buffer.alloc(0), whole: true }
        : headers['transfer-encoding'] === 'chunked'
          ? await chunked()
          : headers['content-length'] === undefined
            ? { body: await toTheEnd(), whole: ended === 'closed' }
            : await sized(Number(headers['content-length']))
      const text = body.body.toString()
      return { ...parsed, ...body, text, json: () => JSON.parse(text) as unknown }
    },
    async until(text) {
      const found = await upTo(text)
      if (found === null) throw new Error(`the connection was ${ended} after ${JSON.stringify(come().toString())}`)
      return found.toString('latin1')
    },
    rest: async () => (await toTheEnd()).toString('latin1'),
    get received() {
      return received
    },
    get ended() {
      return ended
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    leave: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
    async [Symbol.asyncDispose]() {
      if (socket.closed) return
      socket.destroy()
      await once(socket, 'close')
    },
  }
}

/** Sends one request on a connection of its own and gives the response. */
export async function ask(port: number, bytes: string | Uint8Array): Promise<Received> {
  await using client = await connect(port)
  client.send(bytes)
  return await client.response(bytesOf(bytes).toString('latin1', 0, 5) === 'HEAD ' ? 'HEAD' : 'GET')
}

/**
 * Lets a gateway's loop go round some hundred times, by as many requests of another client. What has not happened by
 * then was not about to happen: this is how a test can see that something stands still.
 */
export async function manyTurns(port: number, turns = 300): Promise<void> {
  await using client = await connect(port)
  for (let i = 0; i < turns; i++) {
    client.send(request('GET', '/no/such/route'))
    await client.response()
  }
}

/** Makes the bytes of a request. Host is there unless it is given; a body has its length unless it is chunked. */
export function request(
  method: string,
  target: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  body: string | Uint8Array = '',
): Buffer {
  const names = Object.keys(headers).map((name) => name.toLowerCase())
  const sizes = names.includes('transfer-encoding') || names.includes('content-length') || body.length === 0
  const all = {
    ...(names.includes('host') ? {} : { host: 'gateway.test' }),
    ...headers,
    ...(sizes ? {} : { 'content-length': `${Buffer.byteLength(body)}` }),
  }
  const fields = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${fields.join('')}\r\n`, 'latin1'),
    Buffer.from(body),
  ])
}

/** Makes one chunk of a chunked body; an empty one is the last. */
export function chunk(data: string | Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${Buffer.byteLength(data).toString(16)}\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ])
}

function bytesOf(data: string | Uint8Array): Buffer {
  return typeof data === 'string'
    ? Buffer.from(data, 'latin1')
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function parseHead(head: string, interim: readonly number[]): Received {
  const [line = '', ...fields] = head.split('\r\n')
  const match = /^HTTP\/(\d\.\d) (\d{3})/.exec(line)
  if (match === null) throw new Error(`not a response: ${JSON.stringify(head)}`)
  const pairs = fields.map((field): [string, string] => {
    const at = field.indexOf(':')
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()]
  })
  const all = (name: string): string[] => pairs.filter(([one]) => one === name).map(([, value]) => value)
  return {
    head,
    version: match[1] as string,
    status: Number(match[2]),
    headers: Object.fromEntries(pairs.map(([name]) => [name, all(name).join(', ')])),
    all,
    body: Buffer.alloc(0),
    text: '',
    json: () => undefined,
    whole: false,
    interim: [...interim],
  }
}
