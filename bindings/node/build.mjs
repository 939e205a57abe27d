// Builds build/statewright.node with a C++ compiler alone: no node-gyp, no downloads.
//
// The library is found by STATEWRIGHT_PREFIX (its folders include/ and lib/), as `cargo xtask lib` prints it;
// by default where that command puts it in this clone. CXX and CXXFLAGS are honoured. Nothing is done when
// nothing changed.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);
const prefix = resolve(process.env.STATEWRIGHT_PREFIX ?? join(here, '../../target/xtask/prefix'));
const out = join(here, 'build');
const addon = join(out, 'statewright.node');

if (!existsSync(join(prefix, 'include/statewright.h'))) {
  const remedy = 'run `cargo xtask lib` and set STATEWRIGHT_PREFIX to what it prints';
  console.error(`build.mjs: no include/statewright.h in ${prefix}; ${remedy}`);
  process.exit(1);
}

const source = (extension) =>
  readdirSync(join(here, 'src'))
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(here, 'src', name));
const words = (text) => (text ?? '').split(/\s+/).filter(Boolean);

// No deprecated calls; buffers are copied, as some hosts demand; what fails while a thread is being terminated is
// dropped, and does not end the process.
const defines = words(`
  NAPI_VERSION=9 NAPI_DISABLE_CPP_EXCEPTIONS NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
  NODE_ADDON_API_DISABLE_DEPRECATED NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
`).map((name) => `-D${name}`);

const command = [
  ...words(process.env.CXX ?? 'c++'),
  ...words('-std=c++17 -O2 -fPIC -shared -pthread -fvisibility=hidden -Wall -Wextra'),
  ...defines,
  // The headers of others are not ours to warn about.
  ...['node-addon-api', 'node-api-headers'].flatMap((name) => ['-isystem', include(name)]),
  `-I${join(prefix, 'include')}`,
  ...words(process.env.CXXFLAGS),
  ...source('.cc'),
  ...[`-L${join(prefix, 'lib')}`, '-lstatewright', `-Wl,-rpath,$ORIGIN:${join(prefix, 'lib')}`],
  // A worker thread's end must not unload code whose threads may still be ending.
  ...words(process.platform === 'linux' ? '-Wl,-z,nodelete' : '-undefined dynamic_lookup'),
];

function include(name) {
  const folder = dirname(require.resolve(`${name}/package.json`));
  return name === 'node-api-headers' ? join(folder, 'include') : folder;
}

function changed() {
  const stamp = join(out, 'command.txt');
  const same = existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === command.join('\n');
  if (!same) return true;
  const built = statSync(addon).mtimeMs;
  const inputs = [...source(''), join(prefix, 'include/statewright.h')];
  return inputs.some((input) => statSync(input).mtimeMs > built);
}

mkdirSync(out, { recursive: true });
if (changed()) {
  // Under another name first: a process may have the old addon loaded.
  const made = `${addon}.new`;
  const { status, error } = spawnSync(command[0], [...command.slice(1), '-o', made], { stdio: 'inherit' });
  if (status !== 0) {
    console.error(
      error ? `build.mjs: ${command[0]}: ${error.message}` : 'build.mjs: the addon was not built',
    );
    process.exit(1);
  }
  renameSync(made, addon);
  writeFileSync(join(out, 'command.txt'), command.join('\n'));
}

// The types of the low-level layer are generated, and lie beside the sources that use them.
mkdirSync(join(here, 'dist'), { recursive: true });
copyFileSync(join(here, 'lib/native.d.ts'), join(here, 'dist/native.d.ts'));
