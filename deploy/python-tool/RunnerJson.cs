using System.Text.Json.Serialization;

namespace PythonTool;

/// <summary>The lines between the server and the runner.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(CallResult))]
[JsonSerializable(typeof(RunnerRequest))]
[JsonSerializable(typeof(RunnerLimits))]
[JsonSerializable(typeof(List<string>))]
internal sealed partial class RunnerJson : JsonSerializerContext;
