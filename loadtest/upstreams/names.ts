/** The language to answer in when the client names none. */
const FALLBACK = 'en'

/** Knows what things are called in a language; the codes it does not know are undefined. */
export interface Names {
  /** The language the names are in: what was asked for, or the nearest one that there are names in. */
  readonly lang: string
  of(code: string): string | undefined
}

/** Opens the names of one kind in the language asked for, in English when that is no language. */
export function namesIn(lang: string | null, type: Intl.DisplayNamesType): Names {
  const display = new Intl.DisplayNames([language(lang), FALLBACK], { type, fallback: 'none' })
  return {
    lang: display.resolvedOptions().locale,
    of: (code) => attempt(() => display.of(code)),
  }
}

/** A language tag that Intl takes: the one asked for, else English. */
export function language(lang: string | null): string {
  return attempt(() => Intl.getCanonicalLocales(lang ?? FALLBACK)[0]) ?? FALLBACK
}

/** Intl throws a RangeError for what cannot be a code; here that is an unknown code like any other. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
