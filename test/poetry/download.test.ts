import { CancelledError, Deferred } from 'couplet'
import { concurrent, type Job, sequential } from 'couplet/poetry'
import { describe, expect, it } from 'vitest'

/** Three jobs that end when the test says so. */
function threeJobs() {
  const log: string[] = []
  const results: Deferred<string>[] = []
  const jobs: Job<string>[] = ['a', 'b', 'c'].map((name) => () => {
    log.push(`start ${name}`)
    const result = new Deferred<string>(() => log.push(`cancel ${name}`))
    results.push(result)
    return result
  })
  return { jobs, log, results }
}

describe('jobs one after another', () => {
  it('start when the one before has ended, well or badly, and the outcomes keep their order', () => {
    const { jobs, log, results } = threeJobs()
    const outcomes: unknown[] = []
    sequential(jobs).addCallback((all) => outcomes.push(...all.map((one) => (one.ok ? one.value : one.failure.value))))
    expect(log).toEqual(['start a'])
    results[0]?.callback('A')
    expect(log).toEqual(['start a', 'start b'])
    const broken = new Error('broken')
    results[1]?.errback(broken)
    results[2]?.callback('C')
    expect(log).toEqual(['start a', 'start b', 'start c'])
    expect(outcomes).toEqual(['A', broken, 'C'])
  })

  it('are given up with the present one: no other starts', () => {
    const { jobs, log } = threeJobs()
    let error: unknown
    const all = sequential(jobs)
    all.addErrback(({ value }) => (error = value))
    all.cancel()
    expect(log).toEqual(['start a', 'cancel a'])
    expect(error).toBeInstanceOf(CancelledError)
  })

  it('may be ten thousand that have ended before they are asked', () => {
    const done = () => {
      const result = new Deferred<number>()
      result.callback(1)
      return result
    }
    let count = 0
    sequential(Array.from({ length: 10_000 }, () => done)).addCallback((all) => (count = all.length))
    expect(count).toBe(10_000)
  })
})

describe('jobs all at once', () => {
  it('start now, end in any order, and the outcomes keep the order of the jobs', () => {
    const { jobs, log, results } = threeJobs()
    const outcomes: unknown[] = []
    concurrent(jobs).addCallback((all) => outcomes.push(...all.map((one) => (one.ok ? one.value : one.failure.value))))
    expect(log).toEqual(['start a', 'start b', 'start c'])
    const broken = new Error('broken')
    results[2]?.callback('C')
    results[0]?.errback(broken)
    expect(outcomes).toEqual([])
    results[1]?.callback('B')
    expect(outcomes).toEqual([broken, 'B', 'C'])
  })

  it('are given up together', () => {
    const { jobs, log } = threeJobs()
    const all = concurrent(jobs)
    all.addErrback(() => undefined)
    all.cancel()
    expect(log.slice(3)).toEqual(['cancel a', 'cancel b', 'cancel c'])
  })
})
