/**
 * A copy of the source tree in a temporary folder, with what was built of it and a link to the packages: the only place where
 * a fault is ever planted.
 *
 * Tests in this process run from the sources and what they start runs from `dist/`, so a planted file is written twice: as it
 * is, and compiled alone, which takes a fifth of a second where a build takes three.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

/** At the root: what is no source, or as large as all sources. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.git', 'node_modules', 'data'])
const MUTANT_CONFIG = 'tsconfig.mutant.json'

export class TreeCopy {
  readonly root: string

  constructor() {
    this.root = temporaryDirectory('mutants')
    cpSync(PROJECT_ROOT, this.root, {
      recursive: true,
      filter: (path) => !LEFT_OUT.has(relative(PROJECT_ROOT, path).split(sep)[0] as string),
    })
    symlinkSync(realpathSync(join(PROJECT_ROOT, 'node_modules')), join(this.root, 'node_modules'))
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), 'utf8')
  }

  /** Puts other text in place of a source file, and what it compiles to in place of that; `restore` undoes both. */
  replace(file: string, text: string): { readonly restore: () => void } {
    const source = join(this.root, file)
    const built = join(this.root, 'dist', file.replace(/\.ts$/, '.js'))
    const [sourceBefore, builtBefore] = [readFileSync(source), readFileSync(built)]
    const restore = (): void => {
      writeFileSync(source, sourceBefore)
      writeFileSync(built, builtBefore)
    }
    writeFileSync(source, text)
    try {
      this.compile(file)
    } catch (error) {
      restore()
      throw error
    }
    return { restore }
  }

  remove(): void {
    removeDirectory(this.root)
  }

  private compile(file: string): void {
    // Without types: a fault may leave a name unused, or worse.
    const alone = { noCheck: true, noResolve: true, types: [], incremental: false, tsBuildInfoFile: null }
    const config = { extends: './tsconfig.json', compilerOptions: alone, include: [], files: [file] }
    writeFileSync(join(this.root, MUTANT_CONFIG), JSON.stringify(config))
    const tsc = join(this.root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', MUTANT_CONFIG], {
      cwd: this.root,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${file} does not compile: ${stdout}`)
  }
}
