/**
 * `couplet/poetry`: the running example, as a library: slow poets, those who get their poems, and the experiment.
 *
 * @module couplet/poetry
 */

/* poems */
export { builtInPoems } from './built-in-poems.ts'
export type { Poem } from './poem.ts'

/* the server */
export { PoetryFactory, PoetryProtocol, type SlowPoetryOptions } from './poetry-protocol.ts'

/* the client */
export { getPoetry, getPoetryBytes, type GetPoetryOptions, PoemCutOff, PoetryClientProtocol } from './poetry-client.ts'
export { concurrent, type Job, type Mode, modes, sequential } from './download.ts'

/* the transform service, its server and its client */
export { builtInTransforms, type Transform } from './transform/transforms.ts'
export { TransformFailed, TransformService } from './transform/transform-service.ts'
export { TransformFactory, TransformProtocol, type TransformProtocolOptions } from './transform/transform-protocol.ts'
export { TransformClientProtocol, type TransformClientOptions, transformPoem } from './transform/transform-client.ts'

/* the caching proxy */
export { PoemCache, type PoemCacheOptions } from './proxy/poem-cache.ts'
export { PoetryProxyFactory, PoetryProxyProtocol } from './proxy/proxy-protocol.ts'

/* all that a program serves */
export { type Offer, PoetryServer } from './poetry-server.ts'

/* the experiment */
export { type Experiment, experiment, type ExperimentOptions, type Run } from './experiment.ts'

/* pictures of what happened, from the record of it */
export { getRecorded, type Moment, type Piece, type Story, storyOf, type Task } from './pictures/story.ts'
export { type BarOptions, drawBar, drawTimeline, type Row, type Timeline } from './pictures/timeline.ts'
export { tell } from './pictures/prose.ts'
export { drawChain } from './pictures/chain.ts'
