import { type Detect, leftOut } from './detected-app.ts'
import { hintsIn, loopbackNote } from './source-hints.ts'

const usualFiles = ['main.py', 'app.py', 'server.py', 'wsgi.py', 'src/main.py', 'src/app.py']

/** PyPI projects whose Debian package is not simply `python3-<name>`. */
const debianNames: Readonly<Record<string, string>> = {
  beautifulsoup4: 'python3-bs4',
  gunicorn: 'gunicorn',
  pillow: 'python3-pil',
  'psycopg2-binary': 'python3-psycopg2',
  'python-dateutil': 'python3-dateutil',
  'python-dotenv': 'python3-dotenv',
  pyyaml: 'python3-yaml',
  'scikit-learn': 'python3-sklearn',
}

/** A Python file of a usual name, or a project file beside one. */
export const detectPythonApp: Detect = async (folder) => {
  const requirements = await folder.read('requirements.txt')
  const isProject = requirements !== null || folder.names.has('pyproject.toml')
  let file: string | null = null
  let source = ''
  for (const candidate of usualFiles) {
    const text = await folder.read(candidate)
    if (text === null) continue
    file = candidate
    source = text
    break
  }
  if (file === null && !isProject) return null
  const notes: string[] = []
  if (file === null) notes.push('no main.py, app.py or server.py was found; set the entrypoint')
  const needed = requirements === null ? [] : debianPackages(requirements)
  if (needed.length > 0)
    notes.push(
      `requirements.txt became Debian packages (${needed.join(', ')}): check their names and versions`,
    )
  else if (folder.names.has('pyproject.toml')) notes.push('add what pyproject.toml depends on to `packages`')
  const hints = hintsIn(source)
  const port = hints.port ?? (/\bflask\b/i.test(source) ? 5000 : 8000)
  if (hints.loopbackOnly) notes.push(loopbackNote)
  if (hints.port === null) notes.push(`port ${port} is a guess`)
  return {
    folder: folder.path,
    seenAs: 'Python',
    build: {
      base: 'debian',
      packages: ['python3', ...needed],
      copy: {
        from: folder.path,
        to: '/app',
        ignore: leftOut(folder.path, '__pycache__/', '.venv/', 'venv/'),
      },
      workdir: '/app',
      entrypoint: ['/usr/bin/python3', ...startArguments(file ?? 'main.py', source, port)],
    },
    env: {
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      ...(hints.readsPort && { PORT: String(port) }),
    },
    port,
    health: hints.healthPath ?? '/',
    notes,
  }
}

/** A file that only declares a Flask application ends at once when it is run; Flask's own command serves it. */
function startArguments(file: string, source: string, port: number): readonly string[] {
  const declaresOnly = /\bFlask\s*\(/.test(source) && !/\.run\s*\(/.test(source)
  return declaresOnly
    ? ['-m', 'flask', '--app', file, 'run', '--host', '0.0.0.0', '--port', String(port)]
    : [file]
}

/** The names in a requirements file, without versions, options and comments. */
function debianPackages(requirements: string): readonly string[] {
  const names = requirements
    .split('\n')
    .map((line) => /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(line)?.[1])
    .filter((name) => name !== undefined)
    .map((name) => name.toLowerCase().replaceAll(/[._]/g, '-'))
  return [...new Set(names.map((name) => debianNames[name] ?? `python3-${name}`))]
}
