import { namesIn } from './names.ts'
import type { Source } from './source.ts'
import { countryOf, world } from './world.ts'

/**
 * Names of languages, and of countries, in any language, from Intl: `/languages/nob?lang=fr`;
 * `POST /country-names` with `{ "codes": ["NO", "SWE"], "lang": "fr" }` names many countries at once.
 */
export const languages: Source = {
  name: 'languages',
  port: 4104,
  latency: { medianMs: 6, p99Ms: 90 },
  cacheControl: 'public, max-age=86400',
  collections: {
    'GET languages': ({ id, query }) => (id === undefined ? undefined : one(id, query.get('lang'))),
    'POST country-names': ({ body }) => countryNames(body),
  },
}

/** Names that Intl lacks, such as that of the Sami languages together (smi), in English. */
const others = new Map(world.flatMap((country) => Object.entries(country.languages)))

function one(code: string, lang: string | null) {
  const names = namesIn(lang, 'language')
  const name = names.of(code) ?? others.get(code)
  if (name === undefined) return undefined
  return { code, name, ownName: namesIn(code, 'language').of(code) ?? name, lang: names.lang }
}

function countryNames(body: unknown) {
  const { codes, lang } = (body ?? {}) as { codes?: unknown; lang?: unknown }
  if (!Array.isArray(codes)) return undefined
  const names = namesIn(typeof lang === 'string' ? lang : null, 'region')
  return { lang: names.lang, names: codes.map((code) => names.of(countryOf(String(code))?.cca2 ?? '') ?? null) }
}
