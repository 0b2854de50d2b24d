import type { Country } from 'world-countries'
import type { Ask, Source } from './source.ts'
import { countryOf, world } from './world.ts'

/** Countries with capital, borders, languages and currencies: `/countries/NO`, `/countries?region=Europe`. */
export const countries: Source = {
  name: 'countries',
  port: 4101,
  latency: { medianMs: 8, p99Ms: 60 },
  cacheControl: 'public, max-age=3600, stale-while-revalidate=600',
  collections: { 'GET countries': ({ id, query }) => (id === undefined ? list(query) : one(id)) },
}

function one(code: string) {
  const country = countryOf(code)
  return country && describe(country)
}

/** Query fields `region` and `subregion` narrow the list, in either case. */
function list(query: Ask['query']) {
  const items = world.filter(
    (country) => matches(country.region, query.get('region')) && matches(country.subregion, query.get('subregion')),
  )
  return { count: items.length, items: items.map(describe) }
}

function matches(value: string, wanted: string | null): boolean {
  return wanted === null || value.toLowerCase() === wanted.toLowerCase()
}

function describe(country: Country) {
  return {
    code: country.cca2,
    code3: country.cca3,
    name: country.name.common,
    officialName: country.name.official,
    flag: country.flag,
    capital: country.capital[0] ?? null,
    region: country.region,
    subregion: country.subregion,
    borders: country.borders,
    languages: Object.keys(country.languages),
    currencies: Object.keys(country.currencies),
    area: country.area,
    latlng: country.latlng,
    landlocked: country.landlocked,
    unMember: country.unMember,
  }
}
