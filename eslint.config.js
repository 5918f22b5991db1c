import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** A file that only hands on what others export: it hides where things live, and makes cycles easy. */
const noBarrel = {
  meta: {
    type: 'problem',
    messages: { barrel: 'This file only re-exports. Import from where the thing lives.' },
    schema: [],
  },
  create: (context) => ({
    Program(program) {
      const handsOn = (statement) =>
        statement.type === 'ImportDeclaration' ||
        statement.type === 'ExportAllDeclaration' ||
        (statement.type === 'ExportNamedDeclaration' && statement.declaration === null);
      const exportsFrom = (statement) => statement.type.startsWith('Export') && statement.source;
      if (program.body.some(exportsFrom) && program.body.every(handsOn)) {
        context.report({ node: program, messageId: 'barrel' });
      }
    },
  }),
};

/** Import paths that a layer must not name. */
const layer = (...rules) => ({
  'no-restricted-imports': ['error', { patterns: rules.map(([regex, message]) => ({ regex, message })) }],
});

const TESTS = [
  '(^|/)(test|bench|scripts)/',
  'Tests, benches and scripts import the program, never the other way round.',
];

export default tseslint.config(
  {
    // AssemblyScript has the looks of TypeScript but not its rules; prettier formats it all the same.
    ignores: [
      'dist/',
      'filters-sdk/dist/',
      'coverage/',
      'src/filters/',
      'src/dev-filters/',
      'filters-sdk/assembly/',
      'filters-sdk/templates/',
      'examples/**/filters/',
      'filters-sdk/examples/*/index.ts',
      'test/plugins/',
      'bench/.cache/',
      '**/node_modules/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
      ],
    },
  },
  {
    plugins: { 'import-x': importX, weir: { rules: { 'no-barrel': noBarrel } } },
    settings: {
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.mjs'] })],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/extensions': ['.ts', '.js', '.mjs'],
    },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'no-console': 'error',
      'weir/no-barrel': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        performance: 'readonly',
        fetch: 'readonly',
      },
    },
  },
  {
    files: ['src/cli/dev/page/*.js'],
    languageOptions: {
      globals: {
        document: 'readonly',
        EventSource: 'readonly',
        HTMLElement: 'readonly',
        customElements: 'readonly',
        addEventListener: 'readonly',
      },
    },
  },
  // What writes to a terminal. src/cli has one helper for that; a runtime that logs goes through its logger.
  { files: ['scripts/**', 'bench/**', 'examples/**', 'src/cli/output.ts'], rules: { 'no-console': 'off' } },

  // The layers. See docs/architecture.md.
  {
    files: ['src/**/*.ts'],
    rules: layer(TESTS),
  },
  {
    files: ['src/runtime/**/*.ts'],
    rules: layer(
      TESTS,
      [
        '(^|/)(control|explain|supervisor|worker|cli)/',
        'The runtime is handed a snapshot; it knows nothing of who made it.',
      ],
      ['/main\\.ts$', 'The runtime is started by others.'],
    ),
  },
  {
    files: ['src/control/**/*.ts'],
    rules: layer(TESTS, [
      '(^|/)(supervisor|worker|cli)/',
      'The control plane is used by the supervisor and the CLI, not the other way round.',
    ]),
  },
  {
    files: ['src/explain/**/*.ts'],
    rules: layer(TESTS, ['(^|/)(control|supervisor|worker|cli)/', 'Workers explain, too.']),
  },
  {
    files: ['filters-sdk/**/*.ts'],
    rules: layer(
      [
        '(^|/)src/(?!runtime/)',
        'The SDK stands alone; its test kit alone bundles the host and the chain (src/runtime).',
      ],
      ['(^|/)(test|bench|scripts)/', 'The SDK stands alone.'],
    ),
  },
);
