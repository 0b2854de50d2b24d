// gRPC over HTTP/2, "Requests": at most eight digits and a unit.
const form = /^(\d{1,8})([HMSmun])$/
const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Writes the time that is left as a `grpc-timeout` does: `250m` for 250 ms; never more than there is, at least 1 ms. */
export function timeoutField(leftMs: number): string {
  const ms = Math.max(1, Math.floor(leftMs))
  return ms < 1e8 ? `${ms}m` : `${Math.min(Math.floor(ms / 1_000), 99_999_999)}S`
}

/** Reads the ms that a `grpc-timeout` leaves; null when it is absent or not valid. */
export function timeoutOf(field: string | undefined): number | null {
  const match = field === undefined ? null : form.exec(field)
  return match === null ? null : Number(match[1]) * (unitsMs[match[2] as string] as number)
}
