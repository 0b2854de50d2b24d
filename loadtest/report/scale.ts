/** Where values lie on an axis, from 0 to 1, and where it has its lines. */
export interface Scale {
  at(value: number): number
  readonly ticks: readonly number[]
}

/** An axis from 0 with about four lines at round numbers. */
export function linear(most: number): Scale {
  const top = most > 0 && Number.isFinite(most) ? most : 1
  const step = [1, 2, 2.5, 5, 10]
    .map((digit) => digit * 10 ** Math.floor(Math.log10(top / 4)))
    .find((one) => one * 4 >= top)!
  const count = Math.ceil(top / step - 1e-9)
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step)
  return { at: (value) => value / (count * step), ticks }
}

/** An axis that grows tenfold by even lengths, for what differs by orders of magnitude. */
export function logarithmic(least: number, most: number): Scale {
  const low = Math.floor(Math.log10(Math.max(least, 1e-3)) + 1e-9)
  const high = Math.max(low + 1, Math.ceil(Math.log10(most) - 1e-9))
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  return { at: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low), ticks }
}

/** An axis along which something happens, whose lines are whole steps of `unit`. */
export function along(first: number, last: number): Scale {
  const span = last - first || 1
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 500, 1000, 2000, 2500, 5000, 10_000, 20_000, 50_000]
  const step = steps.find((one) => span / one <= 7) ?? span / 5
  const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, index) => index * step)
  return { at: (value) => (value - first) / span, ticks: ticks.filter((tick) => tick >= first) }
}
