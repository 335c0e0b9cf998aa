using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>Reads <c>"auto"</c>, <c>{"steps": n}</c> or <c>{"minutes": n}</c>.</summary>
public sealed class CheckpointIntervalConverter : JsonConverter<CheckpointInterval>
{
    public override CheckpointInterval Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            var text = reader.GetString();
            return text == "auto" ? new() : throw new JsonException($"\"{text}\" is not allowed; use \"auto\", {{steps: n}} or {{minutes: n}}");
        }

        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("use \"auto\", {steps: n} or {minutes: n}");
        var interval = new CheckpointInterval();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.GetString();
            reader.Read();
            interval = name switch
            {
                "steps" => interval with { Steps = reader.GetInt32() },
                "minutes" => interval with { Minutes = reader.GetDouble() },
                _ => throw new JsonException($"unknown field \"{name}\"; use \"auto\", {{steps: n}} or {{minutes: n}}"),
            };
        }

        return interval;
    }

    public override void Write(Utf8JsonWriter writer, CheckpointInterval value, JsonSerializerOptions options)
    {
        if (value.IsAuto)
        {
            writer.WriteStringValue("auto");
            return;
        }

        writer.WriteStartObject();
        if (value.Steps is { } steps) writer.WriteNumber("steps", steps);
        if (value.Minutes is { } minutes) writer.WriteNumber("minutes", minutes);
        writer.WriteEndObject();
    }
}
