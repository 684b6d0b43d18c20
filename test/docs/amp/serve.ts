import { amp, Factory, type ServerEndpoint } from 'couplet'
import { Line, NoSuchPoem } from './line.ts'

export function serve(endpoint: ServerEndpoint, poems: ReadonlyMap<string, readonly string[]>) {
  const locator = new amp.CommandLocator().respond(Line, ({ poem, number }) => {
    const lines = poems.get(poem)
    if (lines === undefined) throw new NoSuchPoem(`nobody wrote ${poem}`)
    return { text: lines[number] }
  })
  return endpoint.listen(Factory.forProtocol(() => new amp.AMP(locator)))
}
