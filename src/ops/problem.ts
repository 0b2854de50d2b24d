import { STATUS_CODES } from 'node:http'

/** Makes an error answer of the ops port (RFC 9457), with further members and fields of a header. */
export function problem(
  status: number,
  detail: string,
  { members = {}, headers = {} }: { members?: object; headers?: Readonly<Record<string, string>> } = {},
): Response {
  const title = STATUS_CODES[status] ?? 'Error'
  return new Response(JSON.stringify({ type: 'about:blank', title, status, detail, ...members }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  })
}
