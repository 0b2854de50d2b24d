import type { Feed, Moment, Now, ProfileSummary } from '../moment.ts'
import { byId, element } from './element.ts'
import { makeExplorer } from './explorer.ts'
import { type Profile, showFlame } from './flame.ts'
import { clock, count, span } from './format.ts'
import { type Split, makeLoop } from './loop.ts'
import { makeStrips } from './strips.ts'
import { showRoutes, showUpstreams } from './tables.ts'

// What the control loop remembers as well.
const mostMoments = 900
// A feed that says nothing for so long is dead, whatever its connection says.
const silentMs = 5_000

let history: readonly Moment[] = []
let now: Now | null = null
let heardAt = 0
let split: Split = 'byRoute'
let spanS = 300
let shown: string | null = null

const strips = makeStrips(byId('strips'))
const loop = makeLoop(byId('loop'), byId('legend'))
const explorer = makeExplorer(() => history)
const link = byId('link')

const feed = new EventSource('api/live')
on('history', (moments) => {
  history = moments
  draw()
})
on('now', (told) => {
  now = told
  history = [...history, told.moment].slice(-mostMoments)
  draw()
})
on('kept', (kept) => explorer.add(kept))
feed.addEventListener('error', () => tellLink())
setInterval(tellLink, 1_000)

function on<Name extends keyof Feed>(name: Name, take: (told: Feed[Name]) => void): void {
  feed.addEventListener(name, (event) => {
    heardAt = Date.now()
    take(JSON.parse((event as MessageEvent<string>).data) as Feed[Name])
    tellLink()
  })
}

function tellLink(): void {
  const live = feed.readyState === EventSource.OPEN && Date.now() - heardAt < silentMs
  link.className = live ? 'pill live' : 'pill lost'
  link.textContent = live ? 'live' : heardAt === 0 ? 'connecting' : `lost ${span((Date.now() - heardAt) / 1_000)} ago`
}

function draw(): void {
  // Nobody looks: what is drawn when somebody does is drawn then.
  if (now === null || document.hidden) return
  showProcess(now)
  strips.show(history, now)
  loop.show(history, split, spanS)
  showRoutes(byId('routes'), now.routes)
  showUpstreams(byId('upstreams'), now.upstreams)
  byId('diagnosis').replaceChildren(
    ...now.diagnosis.map(({ level, text }) => element('div', { class: `says ${level}` }, text)),
  )
  showProfiles(now.profiles)
}

function showProcess({ process, moment }: Now): void {
  const listening = process.loops.filter((one) => one.listening).length
  const deaths = process.loops.reduce((sum, one) => sum + one.deaths, 0)
  const facts: [string, string, string?][] = [
    ['', process.state, process.state === 'serving' ? '' : 'warn'],
    ['version', process.version],
    ['config', process.revision],
    ['up', span((moment.at - process.startedAt) / 1_000)],
    ['data loops', `${listening} of ${process.loops.length}`, listening === process.loops.length ? '' : 'bad'],
    ...(deaths === 0 ? [] : [['deaths', count(deaths), 'bad'] as [string, string, string]]),
    ...(process.sockets === null ? [] : [['open files', count(process.sockets)] as [string, string]]),
    ...(process.redis === null
      ? []
      : [['Redis', process.redis, process.redis === 'up' ? '' : 'bad'] as [string, string, string]]),
  ]
  byId('process').replaceChildren(
    ...facts.map(([name, value, kind = '']) => element('span', {}, `${name} `, element('b', { class: kind }, value))),
  )
}

function showProfiles(profiles: readonly ProfileSummary[]): void {
  const button = byId<HTMLButtonElement>('profile')
  byId('profiles').hidden = profiles.length === 0
  const shots = profiles.flatMap((one) => {
    const look = element(
      'button',
      { type: 'button', 'aria-pressed': String(one.id === shown), title: one.why },
      `${clock(one.at)} ${one.why}`,
    )
    look.addEventListener('click', () => void showProfile(one.id))
    const file = `api/profiles/${one.id}.cpuprofile`
    return [look, element('a', { href: file, download: '', title: 'Download for any viewer of CPU profiles' }, '⤓')]
  })
  byId('shots').replaceChildren(...shots)
  const latest = profiles[0]
  if (latest !== undefined && shown === null) void showProfile(latest.id)
  if (latest !== undefined && button.dataset['after'] !== undefined && button.dataset['after'] !== latest.id) {
    delete button.dataset['after']
    void showProfile(latest.id)
  }
}

async function showProfile(id: string): Promise<void> {
  shown = id
  const response = await fetch(`api/profiles/${id}.cpuprofile`)
  if (response.ok) showFlame(byId('flame'), (await response.json()) as Profile)
  else byId('flame').replaceChildren(element('p', { class: 'empty' }, 'This profile is gone: only the last are kept.'))
}

async function takeProfile(): Promise<void> {
  const button = byId<HTMLButtonElement>('profile')
  if (button.disabled) return
  button.disabled = true
  button.textContent = 'Profiling …'
  button.dataset['after'] = now?.profiles[0]?.id ?? ''
  const headers: Record<string, string> = {}
  const token = sessionStorage.getItem('token')
  if (token !== null) headers['authorization'] = `Bearer ${token}`
  const response = await fetch('api/profile?seconds=5', { method: 'POST', headers })
  button.disabled = false
  button.textContent = 'Profile 5 s'
  if (response.ok) return
  delete button.dataset['after']
  if (response.status === 401) {
    const given = prompt('The token of the ops port (ops.token in the config):')
    if (given === null) return
    sessionStorage.setItem('token', given)
    await takeProfile()
  } else {
    const { detail = response.statusText } = (await response.json()) as { detail?: string }
    alert(`No profile: ${detail}`)
  }
}

function press(attribute: string, value: string): void {
  for (const button of document.querySelectorAll(`[${attribute}]`)) {
    button.setAttribute('aria-pressed', String(button.getAttribute(attribute) === value))
  }
}

function splitBy(by: Split): void {
  split = by
  press('data-split', by)
  draw()
}

function spanOf(seconds: number): void {
  spanS = seconds
  press('data-span', String(seconds))
  draw()
}

function turnTheme(): void {
  const root = document.documentElement
  const isDark = getComputedStyle(root).colorScheme.startsWith('dark') && root.dataset['theme'] !== 'light'
  const prefersDark = matchMedia('(prefers-color-scheme: dark)').matches
  const next = (root.dataset['theme'] ?? (prefersDark ? 'dark' : 'light')) === 'dark' && isDark ? 'light' : 'dark'
  root.dataset['theme'] = next
  localStorage.setItem('theme', next)
  restyle()
}

function restyle(): void {
  strips.restyle()
  loop.restyle()
  draw()
}

const keys: Readonly<Record<string, () => void>> = {
  r: () => splitBy('byRoute'),
  h: () => splitBy('byPhase'),
  '1': () => spanOf(60),
  '5': () => spanOf(300),
  '0': () => spanOf(900),
  j: () => explorer.move(1),
  k: () => explorer.move(-1),
  ' ': () => explorer.hold(),
  '/': () => explorer.filter(),
  p: () => void takeProfile(),
  d: () => turnTheme(),
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') (document.activeElement as HTMLElement | null)?.blur()
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLButtonElement
  const act = keys[event.key]
  if (act === undefined || typing || event.metaKey || event.ctrlKey || event.altKey) return
  event.preventDefault()
  act()
})
for (const button of document.querySelectorAll<HTMLElement>('[data-split]')) {
  button.addEventListener('click', () => splitBy(button.dataset['split'] as Split))
}
for (const button of document.querySelectorAll<HTMLElement>('[data-span]')) {
  button.addEventListener('click', () => spanOf(Number(button.dataset['span'])))
}
byId('profile').addEventListener('click', () => void takeProfile())
byId('theme').addEventListener('click', turnTheme)
document.addEventListener('visibilitychange', draw)
window.addEventListener('resize', draw)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', restyle)
const theme = localStorage.getItem('theme')
if (theme !== null) document.documentElement.dataset['theme'] = theme
