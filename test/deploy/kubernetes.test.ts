import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { parse as parseYaml, parseAllDocuments } from 'yaml'
import { format } from '../../src/config/fault.ts'
import { parse } from '../../src/config/load.ts'
import { meaning } from '../../src/meaning.ts'
import { opsApp } from '../../src/ops/http.ts'
import { exposition } from '../../src/ops/prometheus.ts'
import { vitalNumbers } from '../../src/ops/vitals.ts'

vi.setConfig({ testTimeout: 120_000 })

const root = resolve(import.meta.dirname, '../..')
const kubernetes = join(root, 'deploy/kubernetes')
const overlays = ['demo', 'production']

interface Thing {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  // oxlint-disable-next-line typescript/no-explicit-any -- what it is its schema says
  readonly [key: string]: any
}

const text = (path: string): string => readFileSync(join(kubernetes, path), 'utf8')
const read = (path: string): Thing => parseYaml(text(path)) as Thing
const things = (yaml: string): Thing[] => parseAllDocuments(yaml).map((document) => document.toJS() as Thing)

const hasKubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0
/** All that an overlay applies; without a kubectl what it is made of, which is objects too. */
const applied = new Map(overlays.map((name) => [name, hasKubectl ? things(built(`overlays/${name}`)) : written()]))

function built(path: string): string {
  return execFileSync('kubectl', ['kustomize', join(kubernetes, path)], { encoding: 'utf8' })
}

function written(): Thing[] {
  const files = ['serviceaccount', 'service', 'poddisruptionbudget', 'networkpolicy'].map((name) => `base/${name}.yaml`)
  const more = ['hpa/horizontalpodautoscaler', 'keda/scaledobject', 'monitoring/servicemonitor']
  return [...files, ...more.map((name) => `components/${name}.yaml`)].flatMap((path) => things(text(path)))
}

// The types that the packages make of Kubernetes' and the operators' own schemas: a literal with a key that its type
// does not know is an error of the compiler, however deep it lies.
const modules: Readonly<Record<string, string>> = {
  v1: 'kubernetes-models/v1',
  'apps/v1': 'kubernetes-models/apps/v1',
  'policy/v1': 'kubernetes-models/policy/v1',
  'autoscaling/v2': 'kubernetes-models/autoscaling/v2',
  'networking.k8s.io/v1': 'kubernetes-models/networking.k8s.io/v1',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  'keda.sh/v1alpha1': '@kubernetes-models/keda/keda.sh/v1alpha1',
}

const folder = mkdtempSync(join(tmpdir(), 'oneloop-kubernetes-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Says what the compiler has against objects as what their kinds are. */
function faultsOf(objects: readonly Thing[]): string {
  const lines = objects.map(
    (one, i) =>
      `import type { I${one.kind} as Kind${i} } from '${modules[one.apiVersion] ?? one.apiVersion}'\n` +
      `export const ${one.kind.toLowerCase()}${i}: Kind${i} = ${JSON.stringify(one)}`,
  )
  const options = { module: 'nodenext', target: 'esnext', noEmit: true, strict: true, skipLibCheck: true, types: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['objects.ts'] }))
  writeFileSync(join(folder, 'objects.ts'), `${lines.join('\n')}\n`)
  return spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
    .stdout
}
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{"type":"module"}')

test('every object is as its schema has it, with no key that that does not know', () => {
  const all = [...applied.values()].flat()
  expect(all.length).toBeGreaterThan(8)
  expect(faultsOf([...all, read('components/keda/scaledobject.yaml')])).toBe('')
})

test('an unknown key, a wrong type and a missing key would be told', () => {
  const [service] = things(text('base/service.yaml')) as [Thing]
  const deployment = { ...read('base/deployment.yaml') }
  const odd = { ...service, spec: { ports: [{ name: 'http', port: 80, tragetPort: 'http' }] } }
  const wrong = { ...service, spec: { ports: [{ name: 'http', port: '80' }] } }
  const faults = faultsOf([odd, wrong, deployment])
  expect(faults).toMatch(/tragetPort\W+does not exist/)
  expect(faults).toMatch(/'string' is not assignable to type 'number'/)
  // It gets its selector only in the overlay.
  expect(faults).toMatch(/Property \W+selector\W+is missing/)
})

test.each(overlays)(
  'the config of %s loads, and its ports, probes and variables are those of its pod',
  async (name) => {
    const yaml = text(`overlays/${name}/gateway.yaml`)
    const { spec } = read('base/deployment.yaml')['spec'].template
    const [container] = spec.containers
    const given = Object.fromEntries(container.env.map(({ name: key }: { name: string }) => [key, 'secret']))
    const { config, faults, warnings } = parse(yaml, { file: join(root, 'config/some.yaml'), env: given, meaning })
    expect([...faults, ...warnings].map(format)).toEqual([])
    const ports = Object.fromEntries(
      container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
    )
    expect(ports).toEqual({ http: config?.listen.port, ops: config?.ops.port })
    expect([config?.listen.host, config?.ops.host, config?.ops.token]).toEqual(['0.0.0.0', '0.0.0.0', 'secret'])

    // Only that they are there is asked: what else the port shows and changes is not called.
    const shown = { ready: () => ({ ready: true }), metrics: () => '' }
    const app = opsApp(...([shown, { token: '' }] as unknown as Parameters<typeof opsApp>))
    const monitor = read('components/monitoring/servicemonitor.yaml')
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      const { path, port } = container[probe].httpGet
      expect([port, (await app.request(path)).status]).toEqual(['ops', 200])
    }
    expect((await app.request(monitor['spec'].endpoints[0].path)).status).toBe(200)

    // After SIGTERM it serves on for `drain`, and has left within 25 s of it.
    const { preStop } = container.lifecycle
    expect(config?.listen.drain).toBeLessThan(25_000)
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(preStop.sleep.seconds + 25 + 5)
  },
)

test('services and the network policy name ports that there are', () => {
  const container = read('base/deployment.yaml')['spec'].template.spec.containers[0]
  const names = container.ports.map((port: { name: string }) => port.name)
  const services = things(text('base/service.yaml')).flatMap(({ spec }) => spec.ports)
  const policy = read('base/networkpolicy.yaml')['spec'].ingress.flatMap(
    ({ ports }: { ports: { port: string }[] }) => ports,
  )
  expect(services.map(({ targetPort }: { targetPort: string }) => targetPort)).toEqual(names)
  expect(policy.map(({ port }: { port: string }) => port)).toEqual(names)
})

test('what is scaled by is a number that the gateway tells, by both ways, with the same target and the same haste', () => {
  const numbers = exposition(vitalNumbers(['data'], { cgroup: true, descriptors: true }).read(), 'text')
  const { rules } = parseYaml(text('components/hpa/adapter.yaml')) as {
    rules: { seriesQuery: string; metricsQuery: string; name: { as: string } }[]
  }
  const [rule] = rules as [(typeof rules)[number]]
  const { spec } = read('components/hpa/horizontalpodautoscaler.yaml')
  const { spec: keda } = read('components/keda/scaledobject.yaml')
  const { metric, target } = spec.metrics[0].pods
  expect(metric.name).toBe(rule.name.as)

  const series = /^[a-z_]+/.exec(rule.seriesQuery)?.[0] ?? 'none'
  const [, state] = /(nodejs_eventloop_state="active")/.exec(rule.metricsQuery) ?? []
  expect(numbers).toContain(`${series}{loop="data",${state}}`)
  const { query, threshold } = keda.triggers[0].metadata
  expect(query).toContain(`${series}{`)
  expect(query).toContain(state)
  expect(target.averageValue).toBe(`${Number(threshold) * 1_000}m`)
  expect(keda.advanced.horizontalPodAutoscalerConfig.behavior).toEqual(spec.behavior)
  expect([keda.minReplicaCount, keda.maxReplicaCount]).toEqual([spec.minReplicas, spec.maxReplicas])
})

test('a change of the config is a rollout in production, a reload in the demo, and whoever scales says how many', () => {
  const options = overlays.map((name) => {
    const { configMapGenerator, generatorOptions } = read(`overlays/${name}/kustomization.yaml`)
    return { ...generatorOptions, ...configMapGenerator[0].options }.disableNameSuffixHash
  })
  expect(options).toEqual([true, false])
  const removes = ['hpa', 'keda'].map((name) => read(`components/${name}/kustomization.yaml`)['patches'][0].patch)
  expect(new Set(removes)).toEqual(new Set(['- op: remove\n  path: /spec/replicas']))
  if (!hasKubectl) return
  const named = (overlay: string, kind: string): Thing | undefined =>
    applied.get(overlay)?.find((one) => one.kind === kind)
  expect(named('production', 'ConfigMap')?.metadata.name).toMatch(/^oneloop-[a-z0-9]{10}$/)
  expect(named('demo', 'ConfigMap')?.metadata.name).toBe('oneloop')
  const pod = named('production', 'Deployment')?.['spec']
  expect(pod.template.spec.volumes[0].configMap.name).toBe(named('production', 'ConfigMap')?.metadata.name)
  expect(pod.replicas).toBeUndefined()
})
