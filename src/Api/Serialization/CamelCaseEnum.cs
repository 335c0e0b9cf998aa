using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Api;

/// <summary>Enum values as camelCase strings; numbers are refused.</summary>
public sealed class CamelCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;
