import data, { type Country } from 'world-countries'

/** All countries of the world, as the npm package world-countries has them. */
export const world = data as unknown as readonly Country[] // its types tell of a default export that it does not have

const byCode = new Map(
  world.flatMap((country): [string, Country][] => [
    [country.cca2, country],
    [country.cca3, country],
  ]),
)

/** Finds a country by its ISO 3166 code of two or three letters, in either case. */
export function countryOf(code: string): Country | undefined {
  return byCode.get(code.toUpperCase())
}
