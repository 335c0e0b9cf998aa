namespace Opt.Torch;

/// <summary>The native library or libtorch itself cannot be loaded. The message says what was tried and what to install.</summary>
public sealed class TorchUnavailableException(string message, Exception? innerException = null) : TorchException(message, innerException);
