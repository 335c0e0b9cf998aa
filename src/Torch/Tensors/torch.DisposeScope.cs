namespace Opt.Torch;

public static partial class torch
{
    [ThreadStatic]
    private static DisposeScope? s_scope;

    /// <summary>
    /// Opens a scope that disposes every tensor made on this thread until it closes, except those moved out of it.
    /// Scopes nest and belong to their thread: never hold one across an <c>await</c>.
    /// </summary>
    public static DisposeScope NewDisposeScope() => s_scope = new DisposeScope(s_scope);

    /// <summary>Owns the tensors made while it is the innermost scope of its thread.</summary>
    public sealed class DisposeScope : IDisposable
    {
        private readonly List<Tensor?> _tensors = [];
        private readonly DisposeScope? _outer;
        private readonly int _thread = Environment.CurrentManagedThreadId;
        private bool _closed;

        internal DisposeScope(DisposeScope? outer) => _outer = outer;

        /// <summary>Hands the tensor to the scope around this one, or to its caller if there is none.</summary>
        public Tensor MoveToOuter(Tensor tensor)
        {
            Remove(tensor);
            _outer?.Add(tensor);
            return tensor;
        }

        /// <summary>Takes the tensor out of all scopes: whoever holds it disposes it.</summary>
        public Tensor Detach(Tensor tensor)
        {
            Remove(tensor);
            return tensor;
        }

        /// <summary>Disposes what the scope holds but keeps it open.</summary>
        public void DisposeEverything()
        {
            for (var i = _tensors.Count - 1; i >= 0; i--)
            {
                var tensor = _tensors[i];
                if (tensor is not null)
                {
                    tensor.Scope = null;
                    tensor.Dispose();
                }
            }

            _tensors.Clear();
        }

        /// <summary>Disposes the tensors and closes the scope.</summary>
        /// <exception cref="InvalidOperationException">It is not the innermost scope of the calling thread.</exception>
        public void Dispose()
        {
            if (_closed)
            {
                return;
            }

            if (!ReferenceEquals(s_scope, this))
            {
                throw new InvalidOperationException("a dispose scope must close on its own thread, innermost first");
            }

            _closed = true;
            s_scope = _outer;
            DisposeEverything();
        }

        internal void Add(Tensor tensor)
        {
            tensor.Scope = this;
            tensor.ScopeIndex = _tensors.Count;
            _tensors.Add(tensor);
        }

        // Another thread (a finalizer, or one the tensor was handed to) leaves the list alone: closing skips what is disposed already.
        internal void Remove(Tensor tensor)
        {
            if (!ReferenceEquals(tensor.Scope, this) || Environment.CurrentManagedThreadId != _thread)
            {
                return;
            }

            tensor.Scope = null;
            _tensors[tensor.ScopeIndex] = null;
            if (tensor.ScopeIndex == _tensors.Count - 1)
            {
                _tensors.RemoveAt(_tensors.Count - 1);
            }
        }
    }
}
