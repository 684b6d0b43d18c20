/**
 * The transform service: what it does, without how one asks for it. Protocols ask it; so could a web page or a test.
 *
 * Ancestor: `TransformService` of krondo's part 12. There the peer's bytes chose a method by its name; here they choose
 * from a Map, and nothing else can be reached.
 */
import { CancelledError, type Deferred, execute, logError } from 'couplet'
import { printable } from '../printable.ts'
import { builtInTransforms, type Transform } from './transforms.ts'

/**
 * A poem was not transformed. The message is for whoever asked, on the other side of the wire too, and says nothing
 * about our insides; `cause` does, and stays here.
 */
export class TransformFailed extends Error {
  static {
    this.prototype.name = 'TransformFailed'
  }
  readonly code: string = 'ERR_TRANSFORM_FAILED'
}

/** What one asks to transform poems. */
export class TransformService {
  readonly #transforms: ReadonlyMap<string, Transform>

  /** @param transforms those that come with the program unless given */
  constructor(transforms: ReadonlyMap<string, Transform> = builtInTransforms) {
    this.#transforms = transforms
  }

  /** The names of the transforms that there are. */
  get names(): readonly string[] {
    return [...this.#transforms.keys()]
  }

  /**
   * Transforms a poem. Cancelling it cancels the transform, if that can be cancelled.
   *
   * @returns fails with {@link TransformFailed}: there is no such transform, or it failed, which is reported here
   */
  transform(name: string, poem: string): Deferred<string> {
    const transform = this.#transforms.get(name)
    return execute((): string | PromiseLike<string> => {
      if (transform !== undefined) return transform(poem)
      throw new TransformFailed(`there is no transform "${shown(name)}" (there are: ${this.names.join(', ')})`)
    }).addErrback((failure) => {
      if (transform === undefined || failure.value instanceof CancelledError) return failure
      logError(failure)
      throw new TransformFailed(`the transform "${shown(name)}" failed`, { cause: failure.value })
    })
  }
}

function shown(name: string): string {
  return printable(name.length > 40 ? `${name.slice(0, 40)}…` : name)
}
