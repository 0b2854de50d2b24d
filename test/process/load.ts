import { Agent, get } from 'node:http'

/** What came of asking again and again over one connection. */
export interface Asked {
  /** How many were answered, by status. */
  readonly statuses: Readonly<Record<number, number>>
  /** Why others were not. */
  readonly failed: readonly string[]
}

/**
 * Asks on and on over one keep-alive connection, as long as `goOn` says so, and until it is told to close it: then it
 * leaves, as a client does that goes to another gateway.
 */
export async function keepAsking(url: string, goOn: () => boolean): Promise<Asked> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statuses: Record<number, number> = {}
  const failed: string[] = []
  let open = true
  while (open && failed.length === 0 && goOn()) {
    try {
      const { status, closes } = await askOnce(url, agent)
      statuses[status] = (statuses[status] ?? 0) + 1
      open = !closes
    } catch (error) {
      failed.push((error as Error).message)
    }
  }
  agent.destroy()
  return { statuses, failed }
}

function askOnce(url: string, agent: Agent): Promise<{ status: number; closes: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { agent }, (response) => {
      const status = response.statusCode as number
      const closes = response.headers.connection === 'close'
      response
        .resume()
        .on('end', () => resolve({ status, closes }))
        .on('error', reject)
    })
    sent.on('error', reject)
  })
}
