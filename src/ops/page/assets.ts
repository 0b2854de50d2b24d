import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hono } from 'hono'

interface Asset {
  readonly type: string
  readonly body: string
}

const types: Readonly<Record<string, string>> = {
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
}

/**
 * Serves the page and all that it needs, so that it works where no other host is reached. Scripts are served as they
 * are written, less their types.
 */
export function servePage(app: Hono): void {
  let assets: ReadonlyMap<string, Asset> | null = null
  let policy = ''
  // Read when somebody looks for the first time: most gateways are never looked at.
  const load = (): ReadonlyMap<string, Asset> => {
    const read = readAssets()
    policy = policyOf((read.get('index.html') as Asset).body)
    return read
  }
  app.get('/', (c) => {
    assets ??= load()
    const { type, body } = assets.get('index.html') as Asset
    return c.body(body, 200, {
      'content-type': type,
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
    })
  })
  app.get('/page/:file', (c) => {
    assets ??= load()
    const asset = assets.get(c.req.param('file'))
    return asset === undefined ? c.notFound() : c.body(asset.body, 200, { 'content-type': asset.type })
  })
}

function readAssets(): Map<string, Asset> {
  const folder = new URL('./client/', import.meta.url)
  const assets = new Map<string, Asset>()
  for (const name of readdirSync(folder)) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const text = readFileSync(new URL(name, folder), 'utf8')
    assets.set(name, { type, body: name.endsWith('.ts') ? stripped(text) : text })
  }
  const uplot = fileURLToPath(import.meta.resolve('uplot/package.json')).replace(/package\.json$/, 'dist/')
  assets.set('uplot.js', { type: types['.js'] as string, body: readFileSync(`${uplot}uPlot.esm.js`, 'utf8') })
  assets.set('uplot.css', { type: types['.css'] as string, body: readFileSync(`${uplot}uPlot.min.css`, 'utf8') })
  const { type, body } = assets.get('index.html') as Asset
  // In an installed package it is JavaScript already.
  assets.set('index.html', { type, body: body.replace('ENTRY', assets.has('main.ts') ? 'main.ts' : 'main.js') })
  return assets
}

/** Takes the types off, as Node does with all that runs here, but without its warning that this may change one day. */
function stripped(text: string): string {
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(text)
  } finally {
    process.emitWarning = emitWarning
  }
}

/** Nothing may be loaded from, or sent to, any other place; of scripts in the page only the one that is there. */
function policyOf(html: string): string {
  const [, inline = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(html) ?? []
  const hash = createHash('sha256').update(inline).digest('base64')
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    // The charts' own positions are set by script, which this allows; markup with styles it does not.
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
