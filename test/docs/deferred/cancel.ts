import { CancelledError, Deferred } from 'couplet'

const socket = { close: () => console.log('closed') }
const poem = new Deferred<string>(() => socket.close())
const shouted = poem.addCallback((text) => text.toUpperCase())

shouted.cancel('the reader went home') // → closed
shouted.addErrback((failure) => {
  failure.trap(CancelledError)
  console.log(`${failure.getErrorMessage()}: ${(failure.value as Error).cause}`)
}) // → The Deferred was cancelled: the reader went home
