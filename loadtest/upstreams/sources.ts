import { cities } from './cities.ts'
import { clock } from './clock.ts'
import { countries } from './countries.ts'
import { currencies } from './currencies.ts'
import { languages } from './languages.ts'
import type { Source } from './source.ts'

/** Every demo service. */
export const sources: readonly Source[] = [countries, cities, currencies, languages, clock]
