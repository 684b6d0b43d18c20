/** What the types promise: one declaration is enough for both sides. Compiled, never run. */
import { amp, Deferred } from 'couplet'

const Everything = amp.command('Everything', {
  arguments: {
    integer: amp.Integer(),
    number: amp.Integer({ as: 'number' }),
    string: amp.String(),
    unicode: amp.Unicode(),
    boolean: amp.Boolean(),
    float: amp.Float(),
    decimal: amp.Decimal(),
    date: amp.DateTime(),
    text: amp.DateTime({ as: 'string' }),
    list: amp.ListOf(amp.ListOf(amp.Integer())),
    boxes: amp.AmpList({ x: amp.Integer({ as: 'number' }), note: amp.Unicode().optional() }),
    left: amp.Boolean().optional(),
  },
  response: { total: amp.Integer(), note: amp.Unicode().optional() },
})
const Ping = amp.command('Ping')
const Maybe = amp.command('Maybe', { arguments: { note: amp.Unicode().optional() } })
const Say = amp.command('Say', { arguments: { text: amp.Unicode() }, requiresAnswer: false })

declare const peer: amp.AMP

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(is: Same<A, B>): void

peer.respond(Everything, (values) => {
  same<
    typeof values,
    {
      integer: bigint
      number: number
      string: Uint8Array
      unicode: string
      boolean: boolean
      float: number
      decimal: string
      date: Date
      text: string
      list: readonly (readonly bigint[])[]
      boxes: readonly { x: number; note?: string | undefined }[]
      left?: boolean | undefined
    }
  >(true)
  return { total: values.integer }
})

/* A responder may return a value, a Deferred or a promise. */
peer.respond(Everything, () => new Deferred<{ total: bigint }>())
peer.respond(Everything, async () => Promise.resolve({ total: 1n, note: 'x' }))
peer.respond(Ping, () => {})
peer.respond(Ping, async () => {})
// @ts-expect-error -- a number is no bigint
peer.respond(Everything, () => ({ total: 1 }))
// @ts-expect-error -- the total is missing
peer.respond(Everything, () => {})
// @ts-expect-error -- nor may a promise leave it out
peer.respond(Everything, async () => {})
new amp.CommandLocator().respond(Say, ({ text }) => void text.length)

/* A call takes what was declared, and fires with it. */
const everything = {
  integer: 1n,
  number: 1,
  string: new Uint8Array(1),
  unicode: '',
  boolean: true,
  float: 1,
  decimal: '1',
  date: new Date(0),
  text: '',
  list: [[1n]],
  boxes: [{ x: 1 }],
}
const answer = peer.callRemote(Everything, everything)
same<typeof answer, Deferred<{ total: bigint; note?: string | undefined }>>(true)
peer.callRemote(Everything, { ...everything, left: undefined })
// @ts-expect-error -- arguments are missing
peer.callRemote(Everything, { integer: 1n })
// @ts-expect-error -- all of them
peer.callRemote(Everything)
// @ts-expect-error -- one has another type
peer.callRemote(Everything, { ...everything, integer: 1 })
// @ts-expect-error -- one was not declared
peer.callRemote(Say, { text: '', more: 1 })

peer.callRemote(Ping)
peer.callRemote(Ping, {})
peer.callRemote(Maybe)
peer.callRemote(Maybe, { note: 'x' })
// @ts-expect-error -- there are no arguments
peer.callRemote(Ping, { text: '' })

/* Where no answer comes there is no Deferred. */
const nothing = peer.callRemote(Say, { text: 'hello' })
same<typeof nothing, void>(true)

// @ts-expect-error -- an element of a list cannot be left out
amp.ListOf(amp.Integer().optional())
// @ts-expect-error -- an error is made from its message
amp.command('Bad', { errors: { CODE: class extends Error { constructor(_code: number) { super() } } } }) // prettier-ignore
