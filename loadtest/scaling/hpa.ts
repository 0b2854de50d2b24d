/** What a HorizontalPodAutoscaler is told, as `autoscaling/v2` has it. */
export interface HpaOptions {
  /** What the average of the metric should be. */
  readonly target: number
  readonly min: number
  readonly max: number
  /** How long the highest wish stands before fewer pods are had. */
  readonly downWindowS: number
  readonly up: readonly Policy[]
  readonly down: readonly Policy[]
}

/** How much may change within a time: the policy that allows the most counts. */
export interface Policy {
  readonly type: 'Percent' | 'Pods'
  readonly value: number
  readonly periodS: number
}

/** How often the controller looks, and what it takes for no difference: Kubernetes' own defaults. */
export const syncS = 15
const tolerance = 0.1

/** Decides how many pods there should be, by the algorithm of Kubernetes' controller. */
export class Hpa {
  readonly #options: HpaOptions
  readonly #wishes: { readonly at: number; readonly pods: number }[] = []
  readonly #changes: { readonly at: number; readonly by: number }[] = []

  constructor(options: HpaOptions) {
    this.#options = options
  }

  /** Takes the metric of each pod that is ready, and how many there are with those that are not yet. */
  decide(nowS: number, ready: readonly number[], pods: number): number {
    const { min, max, downWindowS } = this.#options
    const wish = this.#wish(ready, pods)
    this.#wishes.push({ at: nowS, pods: wish })
    while ((this.#wishes[0]?.at ?? nowS) < nowS - downWindowS) this.#wishes.shift()
    // The highest wish of the window holds pods; upwards nothing is waited for.
    const stable = wish >= pods ? wish : Math.min(pods, Math.max(...this.#wishes.map((one) => one.pods)))
    const bounded = Math.min(Math.max(stable, min), max)
    const next = bounded > pods ? Math.min(bounded, this.#most(nowS, pods)) : Math.max(bounded, this.#least(nowS, pods))
    if (next !== pods) this.#changes.push({ at: nowS, by: next - pods })
    return next
  }

  #wish(ready: readonly number[], pods: number): number {
    if (ready.length === 0) return pods
    const { target } = this.#options
    const sum = ready.reduce((all, value) => all + value, 0)
    const ratio = sum / ready.length / target
    if (Math.abs(ratio - 1) <= tolerance) return pods
    if (ready.length === pods || ratio < 1) return Math.ceil(ratio * ready.length)
    // Those that start are taken to carry nothing yet, so that they are not asked for twice.
    const careful = sum / pods / target
    return careful <= 1 + tolerance ? pods : Math.ceil(careful * pods)
  }

  #changed(nowS: number, periodS: number, up: boolean): number {
    const within = this.#changes.filter(({ at, by }) => at > nowS - periodS && by > 0 === up)
    return within.reduce((sum, { by }) => sum + by, 0)
  }

  #most(nowS: number, pods: number): number {
    const limits = this.#options.up.map(({ type, value, periodS }) => {
      const began = pods - this.#changed(nowS, periodS, true)
      return type === 'Pods' ? began + value : Math.ceil(began * (1 + value / 100))
    })
    return Math.max(pods, ...limits)
  }

  #least(nowS: number, pods: number): number {
    const limits = this.#options.down.map(({ type, value, periodS }) => {
      const began = pods - this.#changed(nowS, periodS, false)
      return type === 'Pods' ? began - value : Math.floor(began * (1 - value / 100))
    })
    return Math.min(pods, ...limits)
  }
}
