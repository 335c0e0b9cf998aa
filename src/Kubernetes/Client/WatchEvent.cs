namespace Opt.Kubernetes;

/// <summary>What a watch reports.</summary>
public enum WatchEventType
{
    Added,
    Modified,

    /// <summary>The object is the last state, with the version of the deletion.</summary>
    Deleted,

    /// <summary>No change: everything up to the version has been sent.</summary>
    Bookmark,
}

/// <summary>One event of a watch. <see cref="Object"/> is null for bookmarks alone.</summary>
/// <param name="EndsInitialEvents">A bookmark that says that the streamed current state is complete.</param>
public readonly record struct WatchEvent<T>(WatchEventType Type, T? Object, string ResourceVersion, bool EndsInitialEvents = false)
    where T : class;
