/** PCPP: one diffusion image computed by many devices at once. */

export type { AutoChoice } from './engine/auto-mode.js';
export type {
  GenerationJob,
  GenerationOptions,
  GenerationResult,
} from './engine/generation-job.js';
export type {
  GenerationProgress,
  StepPreview,
  StepProgress,
} from './engine/generation-progress.js';
export {
  type GenerationMode,
  type GenerationRequest,
  generationDefaults,
  generationModes,
  type RequestedMode,
  requestedModes,
} from './engine/generation-request.js';
export type { GenerationSettings, LatentShape } from './engine/generation-settings.js';
export type { ForecastPeriod, ImageForecast } from './engine/image-forecast.js';
export { openPipeline, type Pipeline, type PipelineOptions } from './engine/pipeline.js';
export { type Generated, generateSingle, type SingleOptions } from './engine/single.js';
export { type WarmupKind, warmupKinds } from './engine/step-kind.js';
export { PcppError, type PcppErrorCode } from './errors.js';
export type { RgbImage } from './image/decode.js';
export { decodePng, encodePng, readPicture } from './image/png.js';
export { psnr, ssim } from './image/quality.js';
export { ModelDirectory } from './model/directory.js';
export { Model } from './model/model.js';
export type { BorderRule } from './partition/border-rules.js';
export type { Forecast, Traffic } from './partition/bytes.js';
export {
  type Costs,
  type DeviceCost,
  forecastSeconds,
  type LinkCost,
  type RowCost,
  type Run,
  type TimeForecast,
} from './partition/cost.js';
export type { Candidate, Choice, Way } from './partition/planner.js';
export { type SamplerName, samplerNames } from './samplers/sampler.js';
export type {
  GenerationService,
  ServiceJob,
  ServiceProgress,
  ServiceStatus,
} from './service/generation-service.js';
export { findService, type OpenServiceOptions, openService } from './service/open-service.js';
export type { Tensor } from './tensor.js';
