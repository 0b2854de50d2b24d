/** The middle of some numbers, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[half] ?? NaN) : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2
}

/** How far apart the numbers lie, as a share of their median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values)
}

/**
 * The median of the ratios of two things measured in the same rounds; NaN when no round has both.
 *
 * A ratio within one round leaves out the machine's drift between rounds, which a ratio of two medians keeps.
 */
export function ratio(values: readonly (number | undefined)[], against: readonly (number | undefined)[]): number {
  return median(
    values.flatMap((value, round) => {
      const other = against[round]
      return value === undefined || other === undefined ? [] : [value / other]
    }),
  )
}
