/**
 * Subscribes, and writes down what comes: values, errors, `'complete'`.
 */
import type { Observable } from 'rxjs'

export interface Heard {
  readonly log: unknown[]
  readonly unsubscribe: () => void
}

export function heard(source: Observable<unknown>): Heard {
  const log: unknown[] = []
  const subscription = source.subscribe({
    next: (value) => log.push(value),
    error: (error: unknown) => log.push(error),
    complete: () => log.push('complete'),
  })
  return { log, unsubscribe: () => subscription.unsubscribe() }
}
