using System.Text.Json.Serialization;

namespace Opt.Trainer.Tokenization;

[JsonSerializable(typeof(Dictionary<string, int>))]
[JsonSerializable(typeof(JsonlDocument))]
internal sealed partial class TokenizationJson : JsonSerializerContext;

/// <summary>One line of a JSONL corpus; other members are ignored.</summary>
internal sealed record JsonlDocument
{
    [JsonPropertyName("text")]
    public string? Text { get; init; }
}
