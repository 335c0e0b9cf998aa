namespace Opt.Api.V1Alpha1;

/// <summary>One training run of an OPT model, kept training by the operator.</summary>
public sealed record OptTrainingJob
{
    public const string Group = "training.opt-operator.io";
    public const string Version = "v1alpha1";
    public const string KindName = "OptTrainingJob";
    public const string Plural = "opttrainingjobs";

    public string ApiVersion { get; set; } = $"{Group}/{Version}";
    public string Kind { get; set; } = KindName;
    public required JobMetadata Metadata { get; init; }
    public required OptTrainingJobSpec Spec { get; init; }
    public OptTrainingJobStatus? Status { get; init; }
}

/// <summary>The parts of the object's metadata that decisions need.</summary>
public sealed record JobMetadata
{
    public required string Name { get; init; }
    public string Namespace { get; set; } = "default";
    public string Uid { get; set; } = "";
    public long Generation { get; init; }
    public DateTimeOffset? CreationTimestamp { get; init; }
    public DateTimeOffset? DeletionTimestamp { get; init; }

    /// <summary>One-shot requests by name: annotations <c>request.training.opt-operator.io/NAME: "ID [ARGUMENT]"</c>.</summary>
    public EquatableList<JobRequest> Requests { get; set; } = [];
}

/// <summary>A one-shot request, as annotated.</summary>
public readonly record struct JobRequest(string Name, string Id, string Argument)
{
    public const string Prefix = "request.training.opt-operator.io/";

    /// <summary>The id comes back in the status, whose strings are bounded.</summary>
    private const int LongestValue = 253;

    /// <summary>Reads an annotation; null when it is none of ours, has no id, or is too long.</summary>
    public static JobRequest? Read(string annotation, string value)
    {
        if (!annotation.StartsWith(Prefix, StringComparison.Ordinal) || value.Length > LongestValue) return null;
        var parts = value.Split(' ', 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0 ? null : new(annotation[Prefix.Length..], parts[0], parts.Length > 1 ? parts[1] : "");
    }
}
