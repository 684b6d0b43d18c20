/** deferredList, gatherResults, race. Ideas of the DeferredList, FirstError and RaceTests of Twisted's test_defer. */
import { describe, expect, it } from 'vitest'
import { Deferred } from '../../src/framework/deferred/deferred.ts'
import { CancelledError, FailureGroup, FirstError } from '../../src/framework/deferred/errors.ts'
import { deferredList, gatherResults, race } from '../../src/framework/deferred/gathering.ts'
import { fail, succeed } from '../../src/framework/deferred/wrapping.ts'
import { takeReports } from './reports.ts'
import { resultOf } from './result-of.ts'

const reports = takeReports()
const boom = new Error('boom')

/** Three members, and a count of how often each was cancelled. */
function three(): { members: Deferred<string>[]; cancelled: number[] } {
  const cancelled = [0, 0, 0]
  return { members: cancelled.map((_, i) => new Deferred<string>(() => cancelled[i]!++)), cancelled }
}

const ok = (value: unknown) => ({ ok: true, value })
const failed = (value: unknown) => ({ ok: false, failure: expect.objectContaining({ value }) })

describe('deferredList', () => {
  it('waits for all, and lists how each ended, in the order of the list', () => {
    const { members } = three()
    const list = deferredList(members)
    members[2]!.callback('c')
    members[0]!.errback(boom)
    expect(list.called).toBe(false)
    members[1]!.callback('b')
    expect(resultOf(list)).toEqual([failed(boom), ok('b'), ok('c')])
  })

  it('of members that have fired already fires at once, and so does an empty one', () => {
    expect(resultOf(deferredList([succeed(1), fail(boom)]))).toEqual([ok(1), failed(boom)])
    expect(resultOf(deferredList([]))).toEqual([])
    expect(resultOf(deferredList([], { fireOnOneErrback: true }))).toEqual([])
  })

  it('leaves members their values, and takes their failures', () => {
    const [good, bad] = [succeed(1), fail(boom)]
    deferredList([good, bad])
    expect(resultOf(good)).toBe(1)
    expect(resultOf(bad)).toBe(undefined)
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('leaves members their failures with consumeErrors: false, and they are reported', () => {
    const bad = fail(boom)
    deferredList([bad], { consumeErrors: false })
    reports.endTurn()
    expect(reports.all).toMatchObject([{ error: boom, subject: bad }])
  })

  it('with fireOnOneCallback fires at the first success, and says whose', () => {
    const { members, cancelled } = three()
    const list = deferredList(members, { fireOnOneCallback: true })
    members[1]!.errback(boom)
    expect(list.called).toBe(false)
    members[2]!.callback('c')
    expect(resultOf(list)).toEqual({ value: 'c', index: 2 })
    members[0]!.callback('late')
    expect(cancelled).toEqual([0, 0, 0])
  })

  it('with fireOnOneCallback fires with the whole list when all fail', () => {
    expect(resultOf(deferredList([fail(1), fail(2)], { fireOnOneCallback: true }))).toEqual([failed(1), failed(2)])
  })

  it('with fireOnOneCallback fails at once when it is empty', () => {
    expect(resultOf(deferredList([], { fireOnOneCallback: true }))).toBeInstanceOf(FailureGroup)
  })

  it('with fireOnOneErrback fails at the first failure', () => {
    const { members } = three()
    const list = deferredList(members, { fireOnOneErrback: true })
    members[1]!.errback(boom)
    expect(resultOf(list)).toMatchObject({ name: 'FirstError', index: 1, cause: boom })
  })

  it('cancelled cancels every member, and lists that', () => {
    const { members, cancelled } = three()
    const list = deferredList(members)
    list.cancel()
    expect(cancelled).toEqual([1, 1, 1])
    expect(resultOf(list)).toEqual(Array.from({ length: 3 }, () => failed(expect.any(CancelledError))))
  })

  it('cancelled reports a canceller that throws, and cancels the others', () => {
    let cancelled = 0
    const throwing = new Deferred<number>(() => {
      throw boom
    })
    deferredList([throwing, new Deferred<number>(() => cancelled++)]).cancel()
    expect(cancelled).toBe(1)
    expect(reports.errors).toEqual([boom])
  })

  it('cancelled after it has fired leaves the members alone', () => {
    const { members, cancelled } = three()
    const list = deferredList(members, { fireOnOneCallback: true })
    members[0]!.callback('a')
    list.cancel()
    expect(cancelled).toEqual([0, 0, 0])
  })

  it('cancelled fails with CancelledError when a member is paused, which later does no harm', () => {
    const paused = succeed(1)
    paused.pause()
    const list = deferredList([paused])
    list.cancel()
    expect(resultOf(list)).toBeInstanceOf(CancelledError)
    paused.unpause()
    expect(resultOf(paused)).toBe(1)
  })
})

describe('gatherResults', () => {
  it('gives the values in the order of the list', () => {
    const { members } = three()
    const all = gatherResults(members)
    for (const [i, letter] of ['c', 'b', 'a'].entries()) members[2 - i]!.callback(letter)
    expect(resultOf(all)).toEqual(['a', 'b', 'c'])
    expect(resultOf(gatherResults([]))).toEqual([])
  })

  it('fails with FirstError at the first failure, and nobody hears of later ones', () => {
    const { members } = three()
    const all = gatherResults(members)
    members[1]!.errback(boom)
    const error = resultOf(all)
    expect(error).toBeInstanceOf(FirstError)
    expect(error).toMatchObject({ index: 1, subFailure: { value: boom }, cause: boom })
    members[0]!.errback('another')
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('that nobody listens to is reported once, as a FirstError', () => {
    gatherResults([fail(boom), fail(boom)])
    reports.endTurn()
    expect(reports.errors).toEqual([expect.any(FirstError)])
  })

  it('cancelled cancels every member, with the reason, and fails with what came of it', () => {
    const { members, cancelled } = three()
    const all = gatherResults(members)
    all.cancel('bored')
    expect(cancelled).toEqual([1, 1, 1])
    expect(resultOf(all)).toMatchObject({
      name: 'FirstError',
      index: 0,
      cause: { name: 'CancelledError', cause: 'bored' },
    })
  })
})

describe('race', () => {
  it('is won by the first success, and cancels the others', () => {
    const { members, cancelled } = three()
    const first = race(members)
    members[1]!.callback('b')
    expect(resultOf(first)).toEqual({ value: 'b', index: 1 })
    expect(cancelled).toEqual([1, 0, 1])
    reports.endTurn()
    expect(reports.all).toEqual([])
  })

  it('is not lost by a failure while others may still win', () => {
    const { members } = three()
    const first = race(members)
    members[0]!.errback(boom)
    members[2]!.callback('c')
    expect(resultOf(first)).toEqual({ value: 'c', index: 2 })
  })

  it('fails when all have failed, with all failures in the order of the list', () => {
    const { members } = three()
    const first = race(members)
    for (const i of [2, 0, 1]) members[i]!.errback(`boom ${i}`)
    const error = resultOf(first)
    expect(error).toBeInstanceOf(FailureGroup)
    expect((error as FailureGroup).failures.map((failure) => failure.value)).toEqual(['boom 0', 'boom 1', 'boom 2'])
    expect(error).toMatchObject({ cause: 'boom 0', message: 'All 3 members failed, the first of them with: boom 0' })
  })

  it('without members fails at once', () => {
    expect(resultOf(race([]))).toMatchObject({ name: 'FailureGroup', failures: [] })
  })

  it('ignores what losers do when they are cancelled', () => {
    const stubborn = new Deferred<string>((d) => d.callback('me too'))
    const winner = new Deferred<string>()
    const first = race([stubborn, winner])
    winner.callback('me')
    expect(resultOf(first)).toEqual({ value: 'me', index: 1 })
  })

  it('cancelled cancels every member, and fails with the group', () => {
    const { members, cancelled } = three()
    const first = race(members)
    first.cancel()
    expect(cancelled).toEqual([1, 1, 1])
    expect(resultOf(first)).toBeInstanceOf(FailureGroup)
  })

  it('cancelled is won by a member whose canceller makes a result', () => {
    const first = race([new Deferred<string>((d) => d.callback('half a poem')), new Deferred<string>()])
    first.cancel()
    expect(resultOf(first)).toEqual({ value: 'half a poem', index: 0 })
  })
})
