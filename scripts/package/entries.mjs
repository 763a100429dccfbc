// The modules that the package exports, below dist/ and without extension.

/** Modules that CommonJS programs load through one of their own, which says which Node they need. */
export const entries = ['index', 'src/sv2/index']

/** All exported modules; CommonJS programs get declarations of their own. Browsers load the last as it is. */
export const exported = [...entries, 'src/sv2/messages/index']
