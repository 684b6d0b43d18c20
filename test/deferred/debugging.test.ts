/** Where a Deferred was made and fired. */
import { afterEach, describe, expect, it } from 'vitest'
import { getDebugging, setDebugging } from '../../src/framework/deferred/debugging.ts'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { fail } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'

const reports = takeReports()
afterEach(() => void setDebugging(false))

function makeIt(): Deferred<number> {
  return new Deferred<number>()
}
function fireIt(d: Deferred<number>): void {
  d.callback(1)
}
function messageOf(f: () => void): string {
  try {
    f()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

describe('debugging', () => {
  it('is off, and AlreadyCalledError says how to switch it on', () => {
    expect(getDebugging()).toBe(false)
    const d = makeIt()
    fireIt(d)
    expect(messageOf(() => fireIt(d))).toContain('setDebugging(true) shows where')
  })

  it('lets AlreadyCalledError show where the Deferred was made and where it was fired first', () => {
    setDebugging(true)
    const d = makeIt()
    fireIt(d)
    expect(messageOf(() => d.callback(2))).toMatch(/it was made\n.*makeIt[^]*and fired first\n[^]*fireIt/)
  })

  it('knows only the making of a Deferred that was fired while it was off', () => {
    setDebugging(true)
    const d = makeIt()
    const restore = setDebugging(true)
    restore()
    expect(getDebugging()).toBe(true)
    d.callback(1)
    setDebugging(false)
    expect(messageOf(() => d.callback(2))).toContain('setDebugging(true) shows where')
  })

  it('gives reports of unhandled failures the place where the Deferred was made', () => {
    setDebugging(true)
    makeIt().errback('boom')
    reports.endTurn()
    expect(reports.all[0]?.site).toContain('makeIt')
    setDebugging(false)
    fail('boom')
    reports.endTurn()
    expect(reports.all[1]).not.toHaveProperty('site')
  })
})
