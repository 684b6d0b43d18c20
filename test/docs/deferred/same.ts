import { Deferred } from 'couplet'

const poem = new Deferred<string>()
const title = poem.addCallback((text) => text.split('\n')[0] ?? '').addErrback((failure) => failure.getErrorMessage())

poem.callback('Fire and Ice\nSome say the world will end in fire,')
console.log(await title) // → Fire and Ice
