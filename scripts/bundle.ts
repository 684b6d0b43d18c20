/**
 * A neutral program and all that it imports as one module: for a browser's page, which has no files to import, or with
 * something changed in it, without anything changed in the sources.
 */
import { join } from 'node:path'
import { build, type Plugin } from 'vite'

const root = join(import.meta.dirname, '..')

/** What is done to a source before it becomes part of the bundle. */
export type Edit = (path: string, text: string) => string

/**
 * Bundles a program.
 *
 * @param entry its file, from the root of the repository
 * @param edit is called with each file of the repository that the program imports; its path is from the root, too
 * @returns an ES module that imports nothing
 * @throws Error if something in it is Node's
 */
export async function bundle(entry: string, edit: Edit = (_path, text) => text): Promise<string> {
  const edits: Plugin = {
    name: 'edits',
    enforce: 'pre',
    resolveId(id, importer) {
      // Vite would put something empty in its place.
      if (id.startsWith('node:')) throw new Error(`${importer} imports ${id}, and a neutral program must not`)
    },
    transform: (text, id) => (id.startsWith(`${root}/`) ? edit(id.slice(root.length + 1), text) : text),
  }
  const built = await build({
    configFile: false,
    root,
    logLevel: 'error',
    plugins: [edits],
    resolve: { conditions: ['@couplet/source'] },
    build: {
      write: false,
      minify: false,
      target: 'es2023',
      lib: { entry: join(root, entry), formats: ['es'], fileName: 'bundle' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (output === undefined || !('output' in output)) throw new Error(`${entry} could not be bundled`)
  return output.output[0].code
}
