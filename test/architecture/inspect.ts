/**
 * Reads a house's sources and says, in sentences, what is wrong with them: imports through doors that do not exist,
 * cycles, stray front doors, files that do not say what they are for. A function of texts, so that it can be shown bad
 * houses; the plan of ours is in test/architecture.test.ts.
 */
import { dirname, join } from 'node:path/posix'
import ts from 'typescript'

/** Which rooms a house has and who may import whom. A room is named by its folder: `framework/core`. */
export interface Plan {
  /** For each room what its files may import: other rooms, packages, or `node:*`. Its own files it may always. */
  readonly doors: Readonly<Record<string, readonly string[]>>
  /** The files that the package's `exports` lead to; no other file may be called index.ts. */
  readonly frontDoors: readonly string[]
}

export interface Source {
  /** From the repository's root, with slashes: `src/framework/core/address.ts`. */
  readonly path: string
  readonly text: string
}

/** @returns one sentence for each thing that is wrong, or nothing */
export function inspect(sources: readonly Source[], plan: Plan): string[] {
  const files = new Map(sources.map((source) => [source.path, importsOf(source)]))
  return [
    ...sources.flatMap((source) => shape(source, plan)),
    ...[...files].flatMap(([path, imports]) => imports.flatMap((each) => passage(path, each, files, plan))),
    ...cycles(new Map(Object.entries(plan.doors))).map((names) => `the rooms go round in a circle: ${names}`),
    // Only what is left at run time counts. Two files of a room may know each other's types (a Connector its
    // ClientFactory, and the other way round): types are erased, so no order of loading depends on them.
    ...cycles(
      new Map(
        [...files].map(([path, imports]) => [
          path,
          imports.filter((each) => !each.typeOnly).map((each) => join(dirname(path), each.from)),
        ]),
      ),
    ).map((names) => `the files go round in a circle: ${names}`),
  ]
}

/** The room a file lives in: its folder, or the nearest room that this folder is a part of. */
function roomOf(path: string, plan: Plan): string {
  const folder = dirname(path).replace(/^src\//, '')
  if (folder in plan.doors) return folder
  // A folder beside the entrance hall is not a part of it but a room that the plan forgot.
  const around = Object.keys(plan.doors).filter((room) => room !== 'framework' && folder.startsWith(`${room}/`))
  return around.sort((one, other) => other.length - one.length)[0] ?? folder
}

function shape({ path, text }: Source, plan: Plan): string[] {
  const wrong: string[] = []
  const room = roomOf(path, plan)
  if (!(room in plan.doors)) wrong.push(`${path}: not a room of the plan: ${room}`)
  if (path.endsWith('/index.ts') && !plan.frontDoors.includes(path)) {
    wrong.push(`${path}: not a front door, and only those are called index.ts`)
  }
  if (!/^(#!.*\n)?\/\*\*\s/.test(text)) wrong.push(`${path}: does not open with a comment that says what it is for`)
  return wrong
}

function passage(path: string, { from, text }: Import, files: ReadonlyMap<string, unknown>, plan: Plan): string[] {
  const room = roomOf(path, plan)
  const doors = plan.doors[room] ?? []
  if (from === '') return [`${path}: an import that nobody can read off the page: ${text}`]
  if (!from.startsWith('.')) {
    const open = doors.includes(from) || (from.startsWith('node:') && doors.includes('node:*'))
    return open ? [] : [`${path}: ${room} has no door to ${from}`]
  }
  const target = join(dirname(path), from)
  if (!files.has(target)) return [`${path}: ${from} is not a file of the house`]
  const there = roomOf(target, plan)
  const open = there === room || doors.includes(there)
  return open ? [] : [`${path}: ${room} has no door to ${there}`]
}

interface Import {
  /** What is imported, as written; empty if it is not a plain string. */
  readonly from: string
  readonly typeOnly: boolean
  readonly text: string
}

/** Everything a file imports: `import`, `export … from`, `import()`, `import('…').Type`, references, augmentations. */
function importsOf({ path, text }: Source): Import[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: Import[] = [...file.referencedFiles, ...file.typeReferenceDirectives].map((reference) => ({
    from: reference.fileName,
    typeOnly: true,
    text: reference.fileName,
  }))
  const add = (node: ts.Node, from: ts.Node | undefined, typeOnly: boolean) =>
    found.push({ from: from && ts.isStringLiteralLike(from) ? from.text : '', typeOnly, text: node.getText(file) })
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add(node, node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node, node.moduleReference.expression, node.isTypeOnly)
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false)
    } else if (ts.isCallExpression(node) && node.expression.getText(file) === 'require') {
      add(node, node.arguments[0], false)
    } else if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) {
      add(node, node.name, true)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

/** The circles in a graph, each told once, as `a → b → a`. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) found.push([...trail.slice(trail.indexOf(name)), name].join(' → '))
    if (done.has(name) || trail.includes(name)) return
    for (const next of graph.get(name) ?? []) walk(next, [...trail, name])
    done.add(name)
  }
  for (const name of graph.keys()) walk(name, [])
  return found
}
