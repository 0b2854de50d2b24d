import { language, namesIn } from './names.ts'
import type { Source } from './source.ts'

const known = new Set(Intl.supportedValuesOf('currency'))

/** Names and symbols of currencies in any language, from Intl: `/currencies/NOK?lang=fr`. */
export const currencies: Source = {
  name: 'currencies',
  port: 4103,
  latency: { medianMs: 5, p99Ms: 40 },
  cacheControl: 'public, max-age=86400',
  collections: {
    'GET currencies': ({ id, query }) =>
      id === undefined ? { count: known.size, items: [...known] } : one(id.toUpperCase(), query.get('lang')),
  },
}

function one(code: string, lang: string | null) {
  if (!known.has(code)) return undefined
  const format = new Intl.NumberFormat(language(lang), { style: 'currency', currency: code })
  const names = namesIn(lang, 'currency')
  return {
    code,
    name: names.of(code) ?? code,
    symbol: format.formatToParts(0).find((part) => part.type === 'currency')?.value ?? code,
    decimals: format.resolvedOptions().maximumFractionDigits ?? 2,
    example: format.format(1234.5),
    lang: names.lang,
  }
}
