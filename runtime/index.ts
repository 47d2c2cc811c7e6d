/** placeholder until the first module lands */
export const version = '0.1.0';
