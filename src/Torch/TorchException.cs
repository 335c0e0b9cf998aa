namespace Opt.Torch;

/// <summary>libtorch or its shim refused a call. The message is the native text.</summary>
public class TorchException : Exception
{
    public TorchException(string message) : base(message)
    {
    }

    public TorchException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}

/// <summary>The device or the host has no room for an allocation.</summary>
public sealed class TorchOutOfMemoryException(string message) : TorchException(message);

/// <summary>This build of the shim, or this libtorch, lacks what was asked for.</summary>
public sealed class TorchNotSupportedException(string message) : TorchException(message);
