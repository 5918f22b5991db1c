import { envoyProgram } from './install.ts';

export default function setup(): void {
  envoyProgram();
}
