namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Who asks for a write, and how: the parts of a request that do not depend on its object.</summary>
public sealed record WriteRequest(Caller Caller)
{
    private readonly List<string> _warnings = [];

    public bool DryRun { get; init; }

    public FieldValidation FieldValidation { get; init; } = FieldValidation.Ignore;

    /// <summary>The fieldManager and fieldValidation parameters as given, for the options that webhooks see.</summary>
    public string? ExplicitFieldManager { get; init; }

    public FieldValidation? ExplicitFieldValidation { get; init; }

    /// <summary>Server-side apply takes over fields that others own.</summary>
    public bool Force { get; init; }

    /// <summary>Members that the body repeats; strict decoding refuses them.</summary>
    public IReadOnlyList<string> Duplicates { get; init; } = [];

    /// <summary>Texts for the <c>Warning</c> header of the answer.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    public void Warn(string text) => _warnings.Add(text);
}

/// <summary>What to do about unknown and repeated fields in a body.</summary>
public enum FieldValidation { Ignore, Warn, Strict }
