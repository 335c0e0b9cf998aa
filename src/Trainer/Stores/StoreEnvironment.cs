using System.Globalization;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Stores;

/// <summary>The store as the environment of an agent or worker says: a spec, the place of its volume, its credentials.</summary>
public sealed record StoreEnvironment
{
    public const string SpecVariable = "OPT_STORE";
    public const string DirectoryVariable = "OPT_STORE_DIRECTORY";

    /// <summary>Most bytes a second that this process uploads.</summary>
    public const string UploadVariable = "OPT_STORE_UPLOAD_BYTES_PER_SECOND";

    /// <summary>Null when no store is set.</summary>
    public StoreSpec? Spec { get; init; }

    /// <summary>Where the directory of the spec is mounted, if elsewhere.</summary>
    public string? Directory { get; init; }

    public required StoreCredentials Credentials { get; init; }

    /// <summary>Null for no limit.</summary>
    public long? UploadBytesPerSecond { get; init; }

    public static StoreEnvironment Read() => Read(Environment.GetEnvironmentVariable);

    /// <exception cref="FormatException">A variable cannot be used; the message names it.</exception>
    public static StoreEnvironment Read(Func<string, string?> variable) => new()
    {
        Spec = variable(SpecVariable) is { Length: > 0 } json ? Parse(json) : null,
        Directory = variable(DirectoryVariable) is { Length: > 0 } path ? path : null,
        Credentials = StoreCredentials.Read(variable),
        UploadBytesPerSecond = variable(UploadVariable) is { Length: > 0 } limit ? Positive(limit) : null,
    };

    /// <param name="spec">Of a plan; the environment's where null.</param>
    /// <param name="upload">Most bytes a second, of a plan; the environment's where null.</param>
    public ICheckpointStore Open(TimeProvider time, StoreSpec? spec = null, bool createRoot = false, RetryOptions? retry = null, long? upload = null)
    {
        var chosen = spec ?? Spec ?? throw new FormatException($"{SpecVariable} is not set: no checkpoint store");
        return StoreFactory.Open(chosen, Credentials, time, chosen.Directory is null ? null : Directory, createRoot, retry, upload ?? UploadBytesPerSecond);
    }

    private static long Positive(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
        ? number
        : throw new FormatException($"{UploadVariable} is \"{text}\", which is not a whole number of at least 1");

    private static StoreSpec Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, ProtocolJson.Default.StoreSpec) ?? throw new FormatException($"{SpecVariable} is null");
        }
        catch (JsonException e)
        {
            throw new FormatException($"{SpecVariable} is not a store: {e.Message}", e);
        }
    }
}
