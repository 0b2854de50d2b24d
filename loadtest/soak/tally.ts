/** How a request went, as its client saw it. */
export type End =
  | { readonly kind: 'answered'; readonly status: number; readonly foreign: boolean }
  /** The head of a response came, but not its end. */
  | { readonly kind: 'broken'; readonly route: string }
  /** The client had enough. */
  | { readonly kind: 'left' }
  /** The connection ended without a response. */
  | { readonly kind: 'lost'; readonly route: string; readonly why: string }

/** All requests of all clients, counted by how they went. */
export class Tally {
  readonly statuses: Record<number, number> = {}
  readonly lost: Record<string, number> = {}
  sent = 0
  answered = 0
  broken = 0
  /** Responses broken off on routes that do not stream: those are made whole before they begin. */
  brokenSteps = 0
  left = 0
  /** Answers with a piece in them of what another request was answered, or of what nobody asked for. */
  foreign = 0

  /** How many have been sent and have not ended. */
  get open(): number {
    const lost = Object.values(this.lost).reduce((sum, count) => sum + count, 0)
    return this.sent - this.answered - this.broken - this.left - lost
  }

  /** Counts the end of a request. */
  add(end: End): void {
    if (end.kind === 'left') this.left++
    else if (end.kind === 'lost') {
      const what = `${end.route}: ${end.why}`
      this.lost[what] = (this.lost[what] ?? 0) + 1
    } else if (end.kind === 'broken') {
      this.broken++
      if (end.route !== 'stream') this.brokenSteps++
    } else {
      this.answered++
      this.statuses[end.status] = (this.statuses[end.status] ?? 0) + 1
      if (end.foreign) this.foreign++
    }
  }
}

/** Whether a response to the request of this id names another. */
export function namesAnother(text: string, id: string): boolean {
  return [...text.matchAll(/"id":"(\w+)"/g)].some(([, named]) => named !== id)
}
