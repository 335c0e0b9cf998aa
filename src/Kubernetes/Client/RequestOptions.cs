namespace Opt.Kubernetes;

/// <summary>What the server does with fields it does not know, or sees twice.</summary>
public enum FieldValidation
{
    /// <summary>Drop them and answer with a warning: the server's default.</summary>
    Warn,
    Ignore,
    Strict,
}

/// <summary>How to write.</summary>
public sealed record WriteOptions
{
    /// <summary>Overrides the client's field manager.</summary>
    public string? FieldManager { get; init; }
    public FieldValidation FieldValidation { get; init; }

    /// <summary>Everything but the storing: admission and validation run, the answer is what would have been stored.</summary>
    public bool DryRun { get; init; }

    internal QueryString ToQuery(string defaultManager) => new QueryString()
        .Add("fieldManager", FieldManager ?? defaultManager)
        .Add("fieldValidation", FieldValidation == FieldValidation.Warn ? null : FieldValidation.ToString())
        .Add("dryRun", DryRun ? "All" : null);
}

/// <summary>What to list.</summary>
public sealed record ListOptions
{
    public string? LabelSelector { get; init; }
    public string? FieldSelector { get; init; }

    /// <summary>Null reads the newest state; "0" any state the server has at hand.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary><c>Exact</c> or <c>NotOlderThan</c>.</summary>
    public string? ResourceVersionMatch { get; init; }

    /// <summary>Objects a page; 0 asks for everything at once.</summary>
    public int PageSize { get; init; } = 500;

    /// <summary>Continues a paged list. The server refuses it with 410 once it is too old.</summary>
    public string? Continue { get; init; }

    internal string ToQuery() => new QueryString()
        .Add("labelSelector", LabelSelector)
        .Add("fieldSelector", FieldSelector)
        .Add("resourceVersion", Continue is null ? ResourceVersion : null)   // a token carries its own version
        .Add("resourceVersionMatch", Continue is null ? ResourceVersionMatch : null)
        .Add("limit", PageSize > 0 ? PageSize : null)
        .Add("continue", Continue)
        .ToString();
}

/// <summary>What to watch.</summary>
public sealed record WatchOptions
{
    public string? LabelSelector { get; init; }
    public string? FieldSelector { get; init; }

    /// <summary>Events after this version. Null starts with the current state as <c>ADDED</c> events.</summary>
    public string? ResourceVersion { get; init; }

    /// <summary>Streams the current state, then a bookmark that ends it, then the events (Kubernetes 1.32 and later).</summary>
    public bool SendInitialEvents { get; init; }

    public bool AllowBookmarks { get; init; } = true;

    /// <summary>After this the server ends the watch normally.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(7);

    internal string ToQuery() => new QueryString()
        .Add("watch", true)
        .Add("labelSelector", LabelSelector)
        .Add("fieldSelector", FieldSelector)
        .Add("resourceVersion", ResourceVersion)
        .Add("sendInitialEvents", SendInitialEvents)
        .Add("resourceVersionMatch", SendInitialEvents ? "NotOlderThan" : null)
        .Add("allowWatchBookmarks", AllowBookmarks)
        .Add("timeoutSeconds", (long)Math.Max(1, Timeout.TotalSeconds))
        .ToString();
}

/// <summary>What to read of a container's log.</summary>
public sealed record LogOptions
{
    public string? Container { get; init; }
    public bool Follow { get; init; }

    /// <summary>The log of the container's previous run.</summary>
    public bool Previous { get; init; }
    public bool Timestamps { get; init; }
    public long? TailLines { get; init; }
    public long? LimitBytes { get; init; }
    public TimeSpan? Since { get; init; }

    internal string ToQuery() => new QueryString()
        .Add("container", Container)
        .Add("follow", Follow)
        .Add("previous", Previous)
        .Add("timestamps", Timestamps)
        .Add("tailLines", TailLines)
        .Add("limitBytes", LimitBytes)
        .Add("sinceSeconds", Since is { } since ? (long)Math.Ceiling(since.TotalSeconds) : null)
        .ToString();
}
