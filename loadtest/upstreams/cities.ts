import type { Country } from 'world-countries'
import type { Source } from './source.ts'
import { countryOf, world } from './world.ts'

/** Capitals and the country each belongs to: `/capitals/NO`, `/capitals?name=Oslo`. */
export const cities: Source = {
  name: 'cities',
  port: 4102,
  latency: { medianMs: 15, p99Ms: 120 },
  cacheControl: 'public, max-age=600',
  collections: { 'GET capitals': ({ id, query }) => (id === undefined ? byName(query.get('name')) : byCountry(id)) },
}

/** The capital of a country; a country without one (Antarctica) is not found. */
function byCountry(code: string) {
  const country = countryOf(code)
  return country && capitalsOf(country)[0]
}

/** All capitals, or those of that name: Kingston is one of two countries. */
function byName(name: string | null) {
  const items = world
    .flatMap(capitalsOf)
    .filter((city) => name === null || city.name.toLowerCase() === name.toLowerCase())
  return { count: items.length, items }
}

function capitalsOf(country: Country) {
  return country.capital.map((name) => ({
    name,
    country: { code: country.cca2, name: country.name.common },
    otherCapitals: country.capital.filter((other) => other !== name),
    callingCodes: callingCodes(country),
    webDomains: country.tld,
  }))
}

/** A root with many suffixes, as +1 has them for area codes, is told by the root alone. */
function callingCodes({ idd }: Country): string[] {
  if (idd.root === '') return []
  return idd.suffixes.length > 3 ? [idd.root] : idd.suffixes.map((suffix) => idd.root + suffix)
}
