/**
 * Everything that decides how one run of a simulated world goes, as data: it can be printed, pasted, and made smaller.
 *
 * No ancestor.
 */
import type { Fault } from '../faults/fault.ts'
import type { LinkOptions } from '../network/link-options.ts'
import type { SimOptions } from '../sim.ts'

/** What a world is like: what is left out is as in a `new Sim()`. */
export type Knobs = LinkOptions & Pick<SimOptions, 'ties'>

/** One run. */
export interface Scenario<Operation = never> {
  readonly seed: number
  readonly knobs: Knobs
  /** What the programs are to do, in the test's own words: plain data. */
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
}

/** Plain data as one would write it in a program: strings in single quotes, names without any, a list's items in lines. */
function literal(value: unknown, indent = ''): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`
  if (Array.isArray(value)) {
    const items = value.map((item) => literal(item, `${indent}  `))
    const line = `[${items.join(', ')}]`
    if (value.every((item) => typeof item !== 'object' || item === null) || items.length === 0) return line
    return `[\n${items.map((item) => `${indent}  ${item},\n`).join('')}${indent}]`
  }
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  if (fields.length === 0) return '{}'
  return `{ ${fields.map(([name, field]) => `${nameOf(name)}: ${literal(field, indent)}`).join(', ')} }`
}

/** A scenario as an option of a test: `scenario: { … },` in lines. */
export function scenarioLiteral({ seed, knobs, operations, faults }: Scenario<unknown>): string {
  const fields = [
    `seed: ${seed}`,
    `knobs: ${literal(knobs)}`,
    `operations: ${literal(operations, '  ')}`,
    `faults: ${literal(faults, '  ')}`,
  ]
  return `scenario: {\n${fields.map((field) => `  ${field},\n`).join('')}},`
}

function nameOf(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name)
}
