/** Writes a number with a thin space between thousands, and no more digits than mean something. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const rounded = Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(digits))
  return rounded.toLocaleString('en', { maximumFractionDigits: 4 }).replaceAll(',', '\u2009')
}

/** Writes a share in percent. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share) ? '–' : `${figure(share * 100)} %`
}

/** Makes text safe to stand in HTML, in attributes too. */
export function safe(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
