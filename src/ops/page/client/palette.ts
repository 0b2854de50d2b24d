// Told apart by people with any colour vision as far as nine can be (after Okabe and Ito 2008, with two more).
const colours = ['#3aa6ff', '#e69f00', '#2fbf8f', '#d55e9c', '#8f7bf0', '#e0602f', '#58c4dd', '#b5bd3f', '#c08a5a']
const fixed: Readonly<Record<string, string>> = {
  unattributed: '#7b8794',
  others: '#a3adb9',
  accept: '#3aa6ff',
  bind: '#58c4dd',
  send: '#8f7bf0',
  receive: '#2fbf8f',
  parse: '#e69f00',
  merge: '#d55e9c',
  cache: '#b5bd3f',
  respond: '#c08a5a',
  transform: '#e0602f',
}
const given = new Map<string, string>()

/** Gives a thing its colour: the same as long as the page is open. */
export function colourOf(name: string): string {
  const colour = fixed[name] ?? given.get(name) ?? (colours[given.size % colours.length] as string)
  if (!(name in fixed)) given.set(name, colour)
  return colour
}

/** Reads a colour of the page's own style, for what is drawn on a canvas. */
export function styled(name: string): string {
  const probe = getComputedStyle(document.documentElement).getPropertyValue(name)
  const sample = document.createElement('i')
  sample.style.color = probe
  document.body.append(sample)
  const { color } = getComputedStyle(sample)
  sample.remove()
  return color
}
